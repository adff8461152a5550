//! The DCMI command "Get Power Reading" and its answer (DCMI 1.5, table 6-16), as bytes.

use std::fmt;

/// Network function of commands of a group, which the first byte of their data names.
pub(super) const NETFN_GROUP_EXTENSION: u8 = 0x2C;
/// The group of DCMI.
const DCMI: u8 = 0xDC;
/// Get Power Reading: the command, and as its data the group, the mode "system power statistics", no attributes, a reserved byte.
pub(super) const GET_POWER_READING: (u8, [u8; 4]) = (0x02, [DCMI, 0x01, 0x00, 0x00]);
/// The bit of the state that says that power is being measured.
const ACTIVE: u8 = 0x40;
/// An answer: completion code, group, four figures, time, period, state.
const LENGTH: usize = 19;

/// What a BMC answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) watts: u16,
}

/// Why an answer is no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadingError {
    /// The BMC refused, with this completion code.
    Code(u8),
    /// It is shorter than a reading is.
    Short(usize),
    /// It is of another group of commands.
    Foreign(u8),
    /// The BMC does not measure power.
    Inactive,
    /// It shows what stands for no reading.
    Nothing(u16),
}

impl Answer {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ReadingError> {
        let Some((&code, rest)) = bytes.split_first() else { return Err(ReadingError::Short(0)) };
        if code != 0 {
            return Err(ReadingError::Code(code));
        }
        match rest.first() {
            Some(&DCMI) | None => {}
            Some(&other) => return Err(ReadingError::Foreign(other)),
        }
        let [_, _, c0, c1, l0, l1, m0, m1, a0, a1, t0, t1, t2, t3, p0, p1, p2, p3, state, ..] = *bytes else {
            return Err(ReadingError::Short(bytes.len()));
        };
        debug_assert!(bytes.len() >= LENGTH);
        let watts = u16::from_le_bytes([c0, c1]);
        let others = [[l0, l1], [m0, m1], [a0, a1]].map(u16::from_le_bytes);
        if watts == u16::MAX {
            return Err(ReadingError::Nothing(watts));
        }
        // OpenBMC never says that it measures: one figure four times, and no statistics.
        let is_openbmc = watts > 0
            && others == [watts; 3]
            && u32::from_le_bytes([t0, t1, t2, t3]) == 0
            && u32::from_le_bytes([p0, p1, p2, p3]) == 0;
        if state & ACTIVE == 0 && !is_openbmc {
            return Err(ReadingError::Inactive);
        }
        if watts == 0 {
            return Err(ReadingError::Nothing(watts));
        }
        Ok(Answer { watts })
    }
}

impl ReadingError {
    /// In a fixed word.
    pub(super) const fn fault(self) -> &'static str {
        match self {
            ReadingError::Code(0xC1 | 0xC2 | 0xCB | 0xCC | 0xC9) => "unsupported",
            ReadingError::Code(0xD4) => "permission_denied",
            ReadingError::Code(0xC0 | 0xC3 | 0xCE | 0xD0 | 0xD2 | 0xD5) => "busy",
            ReadingError::Code(_) => "refused",
            ReadingError::Short(_) | ReadingError::Foreign(_) => "invalid_data",
            ReadingError::Inactive => "inactive",
            ReadingError::Nothing(_) => "implausible",
        }
    }
}

impl fmt::Display for ReadingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadingError::Code(code) => {
                let meaning = match code {
                    0xC0 => "it is busy",
                    0xC1 => "it does not know the command: it has no DCMI power reading",
                    0xC2 => "it does not know the command for this function",
                    0xC3 => "it took too long",
                    0xC9 | 0xCC => "it does not support this mode",
                    0xCB => "it has no such sensor",
                    0xCE | 0xD5 => "it cannot answer in its present state",
                    0xD0 | 0xD2 => "it is starting",
                    0xD4 => "it does not allow this over the machine's own interface",
                    _ => "it did not say why",
                };
                write!(f, "the BMC refused the DCMI power reading with code {code:#04X}: {meaning}")
            }
            ReadingError::Short(length) => write!(f, "the BMC's power reading has {length} bytes instead of {LENGTH}"),
            ReadingError::Foreign(group) => write!(f, "the BMC answered for the group {group:#04X} instead of 0xDC"),
            ReadingError::Inactive => f.write_str("the BMC says that it does not measure power"),
            ReadingError::Nothing(watts) => write!(f, "the BMC shows {watts} W, which stands for no reading"),
        }
    }
}
