//! The frames that the workload is defined on where there is no other input.

use super::{FRAME_LEN, SAMPLES};

/// Frame `frame`: values cos(0.015 (i + f)) + 0.5, then targets 0.5 + 0.3 sin(0.025 (i + f)).
pub fn formula(frame: i64) -> [f64; FRAME_LEN] {
    let mut numbers = [0.0; FRAME_LEN];
    let (values, targets) = numbers.split_at_mut(SAMPLES);
    for (place, (value, target)) in (frame..).zip(values.iter_mut().zip(targets)) {
        #[expect(clippy::cast_precision_loss, reason = "frame numbers stay below 2^53")]
        let place = place as f64;
        *value = (0.015 * place).cos() + 0.5;
        *target = 0.5 + 0.3 * (0.025 * place).sin();
    }
    numbers
}
