use super::*;
use crate::platform::PlatformBoard;

/// Answers as it is told to, as a kernel below it would.
struct Told(Vec<Result<Vec<u8>, DeviceError>>);

impl Transport for Told {
    fn command(&mut self, netfn: u8, command: u8, data: &[u8], deadline: Instant) -> Result<Vec<u8>, DeviceError> {
        assert_eq!((netfn, command, data), (0x2C, 0x02, &[0xDC, 0x01, 0x00, 0x00][..]));
        assert!(deadline > Instant::now());
        self.0.pop().unwrap_or(Err(DeviceError::TimedOut))
    }
}

/// Current, least, most, mean, the BMC's clock, the period in milliseconds, the state.
fn answer(figures: [u16; 4], clock: u32, period: u32, state: u8) -> Vec<u8> {
    let mut bytes = vec![0x00, 0xDC];
    figures.iter().for_each(|figure| bytes.extend(figure.to_le_bytes()));
    bytes.extend(clock.to_le_bytes());
    bytes.extend(period.to_le_bytes());
    bytes.push(state);
    bytes
}

fn read(answer: Result<Vec<u8>, DeviceError>) -> Result<f64, PlatformError> {
    let mut ipmi = Ipmi::new("/dev/ipmi0", true);
    ipmi.transport = Some(Box::new(Told(vec![answer])));
    ipmi.read().map(|readings| readings[0].1.power.watts())
}

#[test]
fn a_reading_is_shown_with_what_it_was_read_by() {
    // A Dell server of 2022: 197 W, 175 to 242, mean 190 over 123,893 s.
    let mut ipmi = Ipmi::new("/dev/ipmi0", false);
    ipmi.transport = Some(Box::new(Told(vec![Ok(answer([197, 175, 242, 190], 1_646_579_622, 123_893_000, 0x40))])));
    let (meter, reading) = ipmi.read().unwrap().remove(0);
    assert_eq!((meter.source, &*meter.source_type, &*meter.path), ("ipmi", "DCMI", "/dev/ipmi0"));
    assert!((reading.power.watts() - 197.0).abs() < 1e-9 && !meter.contains_gpus);
    let board = PlatformBoard::default();
    board.report(&meter, reading);
    assert_eq!(board.fault(&meter), None);
}

#[test]
fn what_a_bmc_does_not_measure_is_no_reading_but_openbmcs_is() {
    let fault = |bytes| read(Ok(bytes)).map_err(|error| error.fault);
    // Statistics of another time, and the bit that says that nothing is measured now.
    assert_eq!(fault(answer([197, 175, 242, 190], 1_646_579_622, 123_893_000, 0x00)), Err("inactive"));
    // OpenBMC without a sensor, with one (2018, 2021), and off.
    assert_eq!(fault(answer([0; 4], 0, 0, 0x00)), Err("inactive"));
    assert_eq!(fault(answer([319; 4], 0, 0, 0x00)), Ok(319.0));
    assert_eq!(fault(answer([360, 300, 360, 360], 0, 0, 0x00)), Err("inactive"));
    assert_eq!(fault(answer([0, 0, 180, 90], 1, 1000, 0x40)), Err("implausible"));
    assert_eq!(fault(answer([65535; 4], 1, 1000, 0x40)), Err("implausible"));
    assert_eq!(fault(answer([65535; 4], 0, 0, 0x00)), Err("implausible"));
}

#[test]
fn refusals_are_named_with_their_code_and_meaning() {
    for (code, fault, said) in [
        (0xC1, "unsupported", "0xC1: it does not know the command"),
        (0xC0, "busy", "0xC0: it is busy"),
        (0xC3, "busy", "0xC3: it took too long"),
        (0xCB, "unsupported", "0xCB: it has no such sensor"),
        (0xD4, "permission_denied", "0xD4: it does not allow this"),
        (0xFF, "refused", "0xFF: it did not say why"),
        (0x80, "refused", "0x80: it did not say why"),
    ] {
        let error = read(Ok(vec![code])).unwrap_err();
        assert!(error.fault == fault && error.to_string().contains(said), "{error}");
    }
    let faults =
        [vec![], vec![0], vec![0, 0xDC, 1], vec![0, 0x00, 1, 1, 1]].map(|bytes| read(Ok(bytes)).unwrap_err().fault);
    assert_eq!(faults, ["invalid_data"; 4]);
}

#[test]
fn an_answer_of_any_bytes_is_a_reading_or_none() {
    use proptest::prelude::*;
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..40))| {
        if let Ok(watts) = read(Ok(bytes)) {
            prop_assert!(watts > 0.0 && watts < 65535.0);
        }
    });
}

#[test]
fn a_device_that_cannot_be_used_says_what_would_change_that() {
    let missing = Ipmi::new("/no/such/ipmi0", true).read().unwrap_err();
    assert!(missing.to_string().contains("load the kernel module ipmi_si, then ipmi_devintf"), "{missing}");
    assert_eq!(read(Err(DeviceError::TimedOut)).unwrap_err().fault, "timeout");
    let denied = read(Err(DeviceError::Denied)).unwrap_err();
    assert!(denied.unavailable.remedy.is_permission(), "{denied}");
    let other = Ipmi::new("/dev/null", true).read().unwrap_err();
    assert_eq!(other.fault, "invalid_data");
}

#[test]
fn a_device_that_failed_is_opened_again() {
    let mut ipmi = Ipmi::new("/no/such/ipmi0", true);
    ipmi.transport = Some(Box::new(Told(vec![Err(DeviceError::Io(std::io::ErrorKind::BrokenPipe.into()))])));
    assert_eq!(ipmi.read().unwrap_err().fault, "io");
    assert_eq!(ipmi.read().unwrap_err().fault, "not_found");
}
