//! The kernels that the fake knows: each by name, with its parameters, the memory it touches and what it does.

use crate::span::Span;

/// An address and a number of bytes.
pub(crate) type Range = (u64, usize);

/// What a launch reads and what it writes.
pub(crate) struct Ranges {
    pub(crate) reads: Vec<Range>,
    pub(crate) writes: Vec<Range>,
}

/// A kernel.
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// Bytes of each parameter.
    pub(crate) widths: &'static [u8],
    /// What it touches, from its parameters.
    pub(crate) ranges: fn(&[u64]) -> Ranges,
    /// Runs it on the same ranges, with so many threads.
    pub(crate) run: fn(&[u64], &[Span], &[Span], u64),
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

/// `affine(const double* x, double* y, unsigned len, double factor, double offset)`: one thread an element.
static AFFINE: Kernel = Kernel {
    name: "affine",
    widths: &[8, 8, 4, 8, 8],
    ranges: |params| {
        let bytes = len(params[2]) * size_of::<f64>();
        Ranges { reads: vec![(params[0], bytes)], writes: vec![(params[1], bytes)] }
    },
    run: |params, reads, writes, threads| {
        let (factor, offset) = (f64::from_bits(params[3]), f64::from_bits(params[4]));
        for index in 0..len(params[2].min(threads)) {
            let x: f64 = reads[0].read(index);
            writes[0].write(index, x.mul_add(factor, offset));
        }
    },
};

/// `mix(const unsigned* input, unsigned long long* output, unsigned len)`: of each element and the next one, its place and the
/// length, something that changes with any of them.
static MIX: Kernel = Kernel {
    name: "mix",
    widths: &[8, 8, 4],
    ranges: |params| {
        let len = len(params[2]);
        let (input, output) = (len * size_of::<u32>(), len * size_of::<u64>());
        Ranges { reads: vec![(params[0], input)], writes: vec![(params[1], output)] }
    },
    run: |params, reads, writes, _| {
        let len = len(params[2]);
        for index in 0..len {
            let (here, next): (u32, u32) = (reads[0].read(index), reads[0].read((index + 1) % len));
            let word = (u64::from(here) << 32) ^ u64::from(next).rotate_left(7);
            let place = (index as u64) << 20 | len as u64;
            let mixed = (word ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word >> 29;
            writes[0].write(index, mixed);
        }
    },
};

static KERNELS: [&Kernel; 2] = [&AFFINE, &MIX];

/// The kernel of that name.
pub(crate) fn find(name: &str) -> Option<&'static Kernel> {
    KERNELS.iter().copied().find(|kernel| kernel.name == name)
}

fn len(param: u64) -> usize {
    usize::try_from(param).unwrap_or(usize::MAX)
}
