//! A CUDA device through its driver.
