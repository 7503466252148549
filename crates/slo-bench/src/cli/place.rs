//! Where a program runs: the device that its command line names, and the kernels compiled for it.

use std::path::PathBuf;

use anyhow::Context as _;
use gpu_core::{BackendKind, Device, ErrorKind, KernelImages, KernelSource};

use super::{Lacking, Usage};

/// The part of a command line that says where to run.
#[derive(Debug, clap::Args)]
pub struct PlaceArgs {
    /// auto, host, cuda:N or simulated:SEED (the host, with streams reordered by the seed)
    #[arg(long, visible_alias = "backend", value_name = "DEVICE", default_value = "auto", value_parser = parse_device)]
    pub device: DeviceChoice,
    /// Fail, with exit code 3, where no GPU can be used
    #[arg(long)]
    pub require_gpu: bool,
    /// Folder of compiled kernels, checked even where the host needs none
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
}

/// Where to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU, otherwise the host.
    Auto,
    /// The host.
    Host,
    /// The GPU of this ordinal.
    Cuda(u32),
    /// The host, its streams reordered by this seed.
    Simulated(u64),
}

/// A device and, if it is not a GPU, why not.
#[derive(Debug)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// Why no GPU is used; `None` on a GPU.
    pub gpu_refusal: Option<String>,
    choice: DeviceChoice,
}

impl Place {
    /// Opens the device that `args` name.
    ///
    /// # Errors
    /// If it cannot be used, or if it is no GPU and one is required.
    pub fn open(args: &PlaceArgs) -> anyhow::Result<Self> {
        let on_request = "--device asks for the host";
        let (device, gpu_refusal) = match args.device {
            DeviceChoice::Auto => match Device::cuda(0) {
                Ok(device) => (device, None),
                // A GPU that is here and does not work is not the same as none.
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    (Device::host(), Some(error.to_string()))
                }
                Err(error) => return Err(error).context("the GPU cannot be used"),
            },
            DeviceChoice::Host => (Device::host(), Some(on_request.to_owned())),
            DeviceChoice::Cuda(ordinal) => (Device::cuda(ordinal)?, None),
            DeviceChoice::Simulated(seed) => {
                (Device::host_simulated(seed), Some(on_request.to_owned()))
            }
        };
        match gpu_refusal {
            Some(reason) if args.require_gpu => {
                let text = format!("--require-gpu: no GPU can be used: {reason}");
                match args.device {
                    DeviceChoice::Auto => Err(Lacking(text).into()),
                    _ => Err(Usage(text).into()),
                }
            }
            gpu_refusal => Ok(Self { device, gpu_refusal, choice: args.device }),
        }
    }

    /// Every device that may be used at once, the one in use first: all GPUs unless one was asked for, and in a GPU's
    /// place two hosts.
    ///
    /// # Errors
    /// If a GPU cannot be used, with what to do about it.
    pub fn all(&self) -> anyhow::Result<Vec<Device>> {
        let others = match (self.choice, self.device.backend()) {
            (DeviceChoice::Auto, BackendKind::Cuda) => {
                (1..Device::cuda_count()?).map(beside_the_first).collect::<Result<_, _>>()?
            }
            (DeviceChoice::Cuda(_), _) => Vec::new(),
            (DeviceChoice::Simulated(seed), _) => {
                vec![Device::host_simulated(seed.wrapping_add(1))]
            }
            (DeviceChoice::Auto | DeviceChoice::Host, _) => vec![Device::host()],
        };
        Ok(std::iter::once(self.device.clone()).chain(others).collect())
    }

    /// The compiled kernels, those of `sources` checked where the device needs them or `args` name a folder.
    ///
    /// # Errors
    /// If one is missing, stale or broken.
    pub fn images(
        &self,
        args: &PlaceArgs,
        sources: &[KernelSource],
    ) -> gpu_core::Result<KernelImages> {
        let images = args.images();
        if args.images.is_some() || self.device.backend() == BackendKind::Cuda {
            sources.iter().try_for_each(|source| images.load(source).map(|_| ()))?;
        }
        Ok(images)
    }
}

impl PlaceArgs {
    /// Where compiled kernels are looked for.
    pub fn images(&self) -> KernelImages {
        self.images.as_ref().map_or_else(KernelImages::discover, KernelImages::at)
    }
}

/// The GPU of that ordinal, which nobody asked for by name.
fn beside_the_first(ordinal: u32) -> anyhow::Result<Device> {
    Device::cuda(ordinal).with_context(|| {
        format!(
            "all GPUs are used, and cuda:{ordinal} cannot be; --device cuda:0 uses the first alone"
        )
    })
}

fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    let number = |text: &str| text.parse::<u64>().ok();
    let choice = match text.split_once(':') {
        None => match text {
            "auto" => Some(DeviceChoice::Auto),
            "host" => Some(DeviceChoice::Host),
            "cuda" => Some(DeviceChoice::Cuda(0)),
            _ => None,
        },
        Some(("cuda", ordinal)) => ordinal.parse().ok().map(DeviceChoice::Cuda),
        Some(("simulated", seed)) => number(seed).map(DeviceChoice::Simulated),
        Some(_) => None,
    };
    choice.ok_or_else(|| "it must be auto, host, cuda:N or simulated:SEED".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_another_one_beside_it() {
        for device in [DeviceChoice::Host, DeviceChoice::Simulated(u64::MAX)] {
            let args = PlaceArgs { device, require_gpu: false, images: None };
            let devices = Place::open(&args).unwrap().all().unwrap();
            let [first, second] = &devices[..] else { panic!("{devices:?}") };
            assert_eq!(first.backend(), second.backend());
            assert_ne!(first.id(), second.id());
        }
    }

    #[test]
    fn a_gpu_that_cannot_be_used_is_named_with_the_way_around_it() {
        let error = beside_the_first(u32::MAX).unwrap_err();
        let words = "all GPUs are used, and cuda:4294967295 cannot be; --device cuda:0 uses the first alone";
        assert_eq!(error.to_string(), words);
        assert!(error.chain().nth(1).is_some(), "and why not: {error:?}");
    }

    #[test]
    fn devices_are_named_in_four_ways() {
        assert_eq!(parse_device("auto"), Ok(DeviceChoice::Auto));
        assert_eq!(parse_device("host"), Ok(DeviceChoice::Host));
        assert_eq!(parse_device("cuda:3"), Ok(DeviceChoice::Cuda(3)));
        assert_eq!(
            parse_device("simulated:18446744073709551615"),
            Ok(DeviceChoice::Simulated(u64::MAX))
        );
        for bad in ["gpu", "cuda:", "cuda:-1", "cuda:x", "host:0", "simulated:", ""] {
            assert!(parse_device(bad).is_err(), "{bad}");
        }
    }
}
