//! Matrices and images: views and tiles that do not fit are refused before anything runs.

use gpu_core::{Device, ErrorKind, Kernel, Launch};
use kernels::Tunable;
use kernels::matrix::{
    Gemm, GemmArgs, GemmDirect, GemmTile, ProductArgs, ProductShape, Staging, Transpose,
    TransposeArgs, TransposeTile,
};
use kernels::stencil::{Convolve, ConvolveArgs, ConvolveDirect, WindowArgs};

/// Calls `check` with the right lengths, with each of them off by one, and with a launch along two dimensions.
fn assert_lengths<const N: usize>(
    right: [usize; N],
    launch: Launch,
    check: impl Fn([usize; N], &Launch) -> gpu_core::Result<()>,
) {
    check(right, &launch).unwrap();
    for place in 0..N {
        for by in [-1_isize, 1] {
            let mut lengths = right;
            lengths[place] = lengths[place].checked_add_signed(by).unwrap();
            let error = check(lengths, &launch).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("elements"), "{error}");
        }
    }
    let flat = Launch { grid: [1, 2, 1], ..launch };
    let error = check(right, &flat).unwrap_err();
    assert!(error.to_string().contains("one dimension"), "{error}");
}

#[test]
fn every_view_of_a_product_has_the_length_of_its_shape() {
    let device = Device::host();
    let tile = GemmTile { rows: 2, columns: 4, depth: 16 };
    let with_args = |[a, b, c]: [usize; 3], f: &dyn Fn(ProductArgs<'_>) -> gpu_core::Result<()>| {
        let [a, b, mut c] = [a, b, c].map(|len| device.buffer(len).unwrap());
        let shape = ProductShape { m: 3, n: 4, k: 5 };
        f(ProductArgs { a: a.view(), b: b.view(), c: c.view_mut(), shape })
    };
    let right = [15, 20, 12];
    let launch = tile.launch(ProductShape { m: 3, n: 4, k: 5 }, 64);
    assert_lengths(right, launch, |lens, launch| {
        with_args(lens, &|product| Gemm::check(&GemmArgs { product, tile }, launch))
    });
    assert_lengths(right, GemmDirect::launch_for(12), |lens, launch| {
        with_args(lens, &|product| GemmDirect::check(&product, launch))
    });
    let refused = |tile, launch: Launch| {
        let check = |product: ProductArgs<'_>| Gemm::check(&GemmArgs { product, tile }, &launch);
        with_args(right, &check).unwrap_err().to_string()
    };
    let bare = launch.with_shared_bytes(launch.shared_bytes - 4);
    assert!(refused(tile, bare).contains("shared memory"));
    for odd in [
        GemmTile { rows: 0, ..tile },
        GemmTile { columns: 16, ..tile },
        GemmTile { depth: 64, ..tile },
    ] {
        assert!(refused(odd, launch.with_shared_bytes(200 << 10)).contains("1, 2, 4 or 8 rows"));
    }
}

#[test]
fn a_product_of_sides_beyond_32_bits_is_refused() {
    let device = Device::host();
    let (a, mut c) = (device.buffer(0).unwrap(), device.buffer(0).unwrap());
    let shape = ProductShape { m: 0, n: 0, k: (1 << 30) + 1 };
    let args = ProductArgs { a: a.view(), b: a.view(), c: c.view_mut(), shape };
    let error = GemmDirect::check(&args, &GemmDirect::launch_for(0)).unwrap_err();
    assert!(error.to_string().contains("2^30"), "{error}");
}

#[test]
fn both_views_of_a_transpose_have_the_length_of_its_sides() {
    let device = Device::host();
    let tile = TransposeTile { side: 32, staging: Staging::Shared };
    let check = |[input, output]: [usize; 2], tile, launch: &Launch| {
        let (input, mut output) = (device.buffer(input).unwrap(), device.buffer(output).unwrap());
        let (input, output) = (input.view(), output.view_mut());
        Transpose::check(&TransposeArgs { input, output, rows: 3, columns: 4, tile }, launch)
    };
    let launch = tile.launch([3, 4], 64);
    assert_lengths([12, 12], launch, |lens, launch| check(lens, tile, launch));
    let error = check([12, 12], tile, &Launch::linear(1, 64)).unwrap_err();
    assert!(error.to_string().contains("TransposeTile::launch"), "{error}");
    let odd = TransposeTile { side: 48, ..tile };
    let error = check([12, 12], odd, &launch.with_shared_bytes(40 << 10)).unwrap_err();
    assert!(error.to_string().contains("16, 32 or 64"), "{error}");
}

#[test]
fn every_view_of_a_convolution_has_the_length_of_its_sides() {
    let device = Device::host();
    let with_args = |[input, weights, output]: [usize; 3],
                     f: &dyn Fn(WindowArgs<'_>) -> gpu_core::Result<()>| {
        let [input, weights, mut output] =
            [input, weights, output].map(|len| device.buffer(len).unwrap());
        let (input, weights, output) = (input.view(), weights.view(), output.view_mut());
        f(WindowArgs { input, weights, output, rows: 3, columns: 4 })
    };
    let right = [11 * 12, 81, 12];
    let launch = Convolve::launch([3, 4], 64, 2);
    assert_lengths(right, launch, |lens, launch| {
        with_args(lens, &|window| Convolve::check(&ConvolveArgs { window, items: 2 }, launch))
    });
    assert_lengths(right, ConvolveDirect::launch_for(12), |lens, launch| {
        with_args(lens, &|window| ConvolveDirect::check(&window, launch))
    });
    for (items, words) in [(3, "1, 2, 4, 8 or 16 items"), (4, "Convolve::launch")] {
        let check =
            |window: WindowArgs<'_>| Convolve::check(&ConvolveArgs { window, items }, &launch);
        let error = with_args(right, &check).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
