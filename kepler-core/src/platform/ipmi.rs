//! What the BMC says over the machine's own interface to it: `/dev/ipmi0`, by the DCMI command "Get Power Reading".
//!
//! | requires | the modules `ipmi_si` (or `ipmi_ssif`, `ipmi_powernv`) and `ipmi_devintf`; the right to open `/dev/ipmi0`: root |
//! |---|---|
//! | units | whole watts, 16 bits; joules by the moment of each answer |
//! | limits | one command at a time, 5 s for an answer; a BMC need not know DCMI |
//! | cost | one command a round, a round every 5 s, on a thread of its own: the system interface is slow (milliseconds) |
//!
//! A BMC says with each reading whether it measures power at all. Where it says no, what it shows is not believed, with one
//! exception: `OpenBMC` never sets that bit, shows one figure as current, least, most and mean, and no time of sampling
//! (openbmc/openbmc issue 3257, 2018; openbmc/phosphor-host-ipmid issue 167, 2021).

mod device;
mod reading;

use self::device::{DeviceError, IpmiDevice};
use self::reading::{Answer, GET_POWER_READING, NETFN_GROUP_EXTENSION, ReadingError};
use super::{PlatformError, PlatformMeter, PlatformReading, PlatformSource};
use crate::availability::{Remedy, Unavailable};
use crate::host::Timestamp;
use crate::units::Power;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SOURCE: &str = "ipmi";
/// How long an answer may take. The kernel itself gives up a BMC after 5 s, and tries four times.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends a command to a BMC and waits for its answer, completion code first. Below it is the kernel, or a stand-in for tests.
trait Transport: Send {
    fn command(&mut self, netfn: u8, command: u8, data: &[u8], deadline: Instant) -> Result<Vec<u8>, DeviceError>;
}

/// Asks the machine's own BMC.
pub struct Ipmi {
    path: PathBuf,
    contains_gpus: bool,
    transport: Option<Box<dyn Transport>>,
}

impl std::fmt::Debug for Ipmi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ipmi").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Ipmi {
    /// Where the kernel offers the first BMC.
    pub const DEVICE: &str = "/dev/ipmi0";

    /// Asks through this device. `contains_gpus` says whether the BMC's figure contains what accelerators draw.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, contains_gpus: bool) -> Self {
        Ipmi { path: path.into(), contains_gpus, transport: None }
    }

    fn ask(&mut self) -> Result<Answer, PlatformError> {
        let mut transport = match self.transport.take() {
            Some(transport) => transport,
            None => Box::new(IpmiDevice::open(&self.path).map_err(|error| refused(&self.path, &error))?),
        };
        let deadline = Instant::now() + PATIENCE;
        let bytes = transport
            .command(NETFN_GROUP_EXTENSION, GET_POWER_READING.0, &GET_POWER_READING.1, deadline)
            .map_err(|error| refused(&self.path, &error))?;
        // A device that failed is opened again.
        self.transport = Some(transport);
        Answer::parse(&bytes).map_err(|error| {
            let remedy = match error {
                ReadingError::Code(0xD4) => Remedy::None,
                ReadingError::Code(0xC0 | 0xC3 | 0xCE | 0xD0 | 0xD2 | 0xD5 | 0xFF) => Remedy::Wait,
                _ => Remedy::None,
            };
            PlatformError::new(SOURCE, error.fault(), format!("{} at {}", error, self.path.display()), remedy)
        })
    }
}

impl PlatformSource for Ipmi {
    fn source(&self) -> &'static str {
        SOURCE
    }

    fn read(&mut self) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError> {
        let asked = Instant::now();
        let answer = self.ask()?;
        let meter = PlatformMeter::new(SOURCE, "", "").with(|meter| {
            meter.source_type = "DCMI".into();
            meter.source_id = "power_reading".into();
            meter.source_name = "DCMI power reading".into();
            meter.path = self.path.to_string_lossy().into();
            meter.contains_gpus = self.contains_gpus;
        });
        // It was read at some moment between question and answer: on the mean in the middle.
        let reading = PlatformReading::new(Power::from_watts(f64::from(answer.watts)), Timestamp::now());
        Ok(vec![(meter, reading.aged(asked.elapsed() / 2))])
    }
}

/// Why the device cannot be used, and what would change that.
fn refused(path: &Path, error: &DeviceError) -> PlatformError {
    let shown = path.display();
    let (fault, reason, remedy) = match error {
        DeviceError::Missing => (
            "not_found",
            format!("{shown} does not exist: no IPMI driver has found a BMC"),
            Remedy::any([Remedy::load(["ipmi_si", "ipmi_devintf"]), Remedy::MountHostPath { path: path.to_owned() }]),
        ),
        DeviceError::Denied => {
            let reason = format!("{shown} cannot be opened to read and write: permission denied");
            ("permission_denied", reason, Remedy::MakeReadable { path: path.to_owned() })
        }
        DeviceError::TimedOut => ("timeout", format!("the BMC behind {shown} does not answer"), Remedy::Wait),
        DeviceError::NotIpmi => {
            ("invalid_data", format!("{shown} is no IPMI device"), Remedy::load(["ipmi_si", "ipmi_devintf"]))
        }
        DeviceError::Io(error) => ("io", format!("{shown}: {error}"), Remedy::CheckKernelLog),
    };
    PlatformError { fault, unavailable: Unavailable::new(SOURCE, reason, remedy) }
}

#[cfg(test)]
mod tests;
