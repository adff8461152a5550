//! `/dev/ipmiN`: a command goes in by one `ioctl(2)`, its answer comes out by another.
//!
//! The structures are those of `include/uapi/linux/ipmi.h`; they have not changed since Linux 2.6. This is the only file of this
//! source with `unsafe`: the kernel reads and writes buffers that the structures point to.
#![allow(unsafe_code, reason = "ioctls of the IPMI device take structures with pointers to buffers")]

use super::Transport;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{self, Opcode, opcode};
use std::ffi::{c_int, c_long, c_short, c_uchar, c_uint, c_ushort, c_void};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::time::Instant;

/// The machine's own BMC: type and channel of its address.
const SYSTEM_INTERFACE: c_int = 0x0c;
const BMC_CHANNEL: c_short = 0xf;
/// A message that answers a command.
const RESPONSE: c_int = 1;
/// No IPMI message is longer.
const LONGEST: usize = 272;
/// Messages that are none of ours and are passed over before an answer.
const MOST_FOREIGN: usize = 64;

#[repr(C)]
struct SystemInterfaceAddress {
    kind: c_int,
    channel: c_short,
    lun: c_uchar,
}

#[repr(C)]
struct Message {
    netfn: c_uchar,
    command: c_uchar,
    length: c_ushort,
    data: *mut c_uchar,
}

/// `struct ipmi_req`.
#[repr(C)]
struct Request {
    address: *mut c_uchar,
    address_length: c_uint,
    id: c_long,
    message: Message,
}

/// `struct ipmi_recv`.
#[repr(C)]
struct Received {
    kind: c_int,
    address: *mut c_uchar,
    address_length: c_uint,
    id: c_long,
    message: Message,
}

/// `IPMICTL_SEND_COMMAND`, `_IOR('i', 13, struct ipmi_req)`.
const SEND: Opcode = opcode::read::<Request>(b'i', 13);
/// `IPMICTL_RECEIVE_MSG_TRUNC`, `_IOWR('i', 11, struct ipmi_recv)`.
const RECEIVE: Opcode = opcode::read_write::<Received>(b'i', 11);

/// Why a command came to nothing.
#[derive(Debug)]
pub(super) enum DeviceError {
    Missing,
    Denied,
    TimedOut,
    NotIpmi,
    Io(io::Error),
}

impl From<Errno> for DeviceError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NXIO | Errno::NODEV => DeviceError::Missing,
            Errno::ACCESS | Errno::PERM => DeviceError::Denied,
            Errno::NOTTY => DeviceError::NotIpmi,
            other => DeviceError::Io(other.into()),
        }
    }
}

/// An open device.
pub(super) struct IpmiDevice {
    fd: OwnedFd,
    next: c_long,
}

impl IpmiDevice {
    pub(super) fn open(path: &Path) -> Result<Self, DeviceError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let kind = std::fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeviceError::Missing,
            io::ErrorKind::PermissionDenied => DeviceError::Denied,
            _ => DeviceError::Io(error),
        })?;
        // Opening anything else may have an effect.
        if !kind.file_type().is_char_device() {
            return Err(DeviceError::NotIpmi);
        }
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(IpmiDevice { fd, next: 1 })
    }

    fn send(&mut self, netfn: u8, command: u8, data: &[u8]) -> Result<c_long, DeviceError> {
        let mut address = SystemInterfaceAddress { kind: SYSTEM_INTERFACE, channel: BMC_CHANNEL, lun: 0 };
        let mut data = data.to_vec();
        let length = c_ushort::try_from(data.len()).map_err(|_| DeviceError::Io(Errno::MSGSIZE.into()))?;
        let id = self.next;
        self.next = self.next.checked_add(1).unwrap_or(1);
        let mut request = Request {
            address: (&raw mut address).cast(),
            address_length: size_of::<SystemInterfaceAddress>() as c_uint,
            id,
            message: Message { netfn, command, length, data: data.as_mut_ptr() },
        };
        // SAFETY: the opcode takes a `struct ipmi_req`; the buffers that it points to live until the call returns, and the
        // kernel copies them.
        unsafe { ioctl::ioctl(&self.fd, Pointer::<SEND>((&raw mut request).cast())) }?;
        Ok(id)
    }

    /// The next message that waits: its id, and what it holds if it is an answer.
    fn receive(&mut self) -> Result<Option<(c_long, Vec<u8>)>, DeviceError> {
        let mut address = [0_u8; 64];
        let mut data = vec![0_u8; LONGEST];
        let mut received = Received {
            kind: 0,
            address: address.as_mut_ptr(),
            address_length: address.len() as c_uint,
            id: 0,
            message: Message { netfn: 0, command: 0, length: LONGEST as c_ushort, data: data.as_mut_ptr() },
        };
        // SAFETY: the opcode takes a `struct ipmi_recv`; its lengths are those of the buffers that it points to, which live until
        // the call returns; the kernel writes no more than they hold.
        let result = unsafe { ioctl::ioctl(&self.fd, Pointer::<RECEIVE>((&raw mut received).cast())) };
        match result {
            // A message that was cut: what there is of it is longer than any answer we ask for.
            Ok(()) | Err(Errno::MSGSIZE) => {}
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
        data.truncate(usize::from(received.message.length).min(LONGEST));
        Ok((received.kind == RESPONSE).then_some((received.id, data)))
    }
}

impl Transport for IpmiDevice {
    fn command(&mut self, netfn: u8, command: u8, data: &[u8], deadline: Instant) -> Result<Vec<u8>, DeviceError> {
        let id = self.send(netfn, command, data)?;
        for _ in 0..MOST_FOREIGN {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let mut waiting = [PollFd::from_borrowed_fd(self.fd.as_fd(), PollFlags::IN)];
            match poll(&mut waiting, Some(&wait)) {
                Ok(0) => return Err(DeviceError::TimedOut),
                Ok(_) | Err(Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
            match self.receive()? {
                // An answer that came after its time was given up has another id.
                Some((found, bytes)) if found == id => return Ok(bytes),
                _ if left.is_zero() => return Err(DeviceError::TimedOut),
                _ => {}
            }
        }
        Err(DeviceError::TimedOut)
    }
}

/// A call with a pointer to a structure.
struct Pointer<const OPCODE: Opcode>(*mut c_void);

// SAFETY: the opcode says that the kernel takes a structure by pointer, and may write to it.
unsafe impl<const OPCODE: Opcode> ioctl::Ioctl for Pointer<OPCODE> {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.0
    }

    unsafe fn output_from_ptr(_: ioctl::IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn structures_and_calls_are_those_of_the_kernels_header() {
        // Printed by a C program with <linux/ipmi.h> on x86-64: sizes, and the numbers of both calls.
        assert_eq!((size_of::<SystemInterfaceAddress>(), size_of::<Request>(), size_of::<Received>()), (8, 40, 48));
        assert_eq!((SEND, RECEIVE), (0x8028_690d, 0xc030_690b));
    }

    #[test]
    fn what_is_no_character_device_is_not_opened() {
        let open = |path: &str| IpmiDevice::open(Path::new(path)).err();
        assert!(matches!(open("/no/such/device"), Some(DeviceError::Missing)));
        assert!(matches!(open("/proc/self/status"), Some(DeviceError::NotIpmi)));
        let mut device = IpmiDevice::open(Path::new("/dev/null")).unwrap();
        let refused = device.command(0x2C, 2, &[0xDC], Instant::now());
        assert!(matches!(refused, Err(DeviceError::NotIpmi)), "{refused:?}");
    }
}
