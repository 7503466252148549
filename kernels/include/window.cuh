// The window of the convolution.
#pragma once

#include "index.cuh"

// Elements along each side of a window.
constexpr int WINDOW = 9;

// By how much the image is longer than what comes out, along each side.
constexpr int MARGIN = WINDOW - 1;
