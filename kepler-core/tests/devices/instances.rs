//! Devices that are divided into instances (MIG), through the stand-in of NVIDIA's library.

use crate::nvml::Rig;
use kepler_core::device::background::Background;
use kepler_core::device::nvml;
use kepler_core::device::{
    DeviceDirectory, DeviceId, DeviceMeter, DevicePart, DeviceReading, InstanceActivity, SharesBy,
};
use kepler_core::host::Timestamp;
use kepler_core::meter::ReadError;

/// One of three slices with two processes, one of two with one, one of one slice that is unused.
const DIVIDED: &str = "gpu uuid=GPU-a name=A100 bus=0x41 energy=1000 mig=1 minor=3\n\
    instance gpu=0 place=0 id=1 uuid=MIG-3 slices=3 profile=3g.40gb start=4 profile_id=9\n\
    instance gpu=0 place=2 id=5 uuid=MIG-2 slices=2 profile=2g.20gb\n\
    instance gpu=0 place=4 id=9 uuid=MIG-1 slices=1 profile=1g.10gb\n\
    process gpu=0 instance=1 pid=42\nprocess gpu=0 instance=1 pid=43 kind=g\nprocess gpu=0 instance=5 pid=44\n";

fn rig(script: &str) -> Rig {
    let rig = Rig::new(script);
    [42, 43, 44].into_iter().for_each(|pid| rig.process(pid));
    rig
}

fn open(rig: &Rig, directory: &DeviceDirectory) -> Background {
    let options = rig.options().with(|options| options.directory = Some(directory.clone()));
    nvml::open(&rig.host(), &options).unwrap()
}

/// What each process has of the device, in slices.
fn slices(reading: &DeviceReading) -> Vec<(u32, Option<u32>, f64)> {
    let users = reading.users.iter().map(|user| (user.pid, user.instance, (user.busy * 700.0).round() / 100.0));
    users.collect()
}

fn shows(reading: &Result<DeviceReading, ReadError>, expected: &[(u32, Option<u32>, f64)], by: SharesBy) -> bool {
    reading.as_ref().is_ok_and(|reading| slices(reading) == expected && reading.shares_by == by)
}

/// The script with another counter: a reading of its own.
fn counted(millijoules: u32) -> String {
    DIVIDED.replace("energy=1000", &format!("energy={millijoules}"))
}

/// Reads while the counter goes on, until the first device shows this.
fn until(rig: &mut Rig, meter: &mut Background, script: &str, expected: &[(u32, Option<u32>, f64)], by: SharesBy) {
    for millijoules in 1001..1400 {
        rig.script(&script.replace("energy=1000", &format!("energy={millijoules}")));
        let before = rig.readings().first().and_then(|reading| Some(reading.as_ref().ok()?.at));
        rig.until(meter, |readings| readings[0].as_ref().is_ok_and(|reading| Some(reading.at) != before));
        if shows(&rig.readings()[0], expected, by) {
            return;
        }
    }
    panic!("it never came: {:?}", rig.readings());
}

#[test]
fn instances_are_listed_with_their_slices_and_profiles() {
    let rig = rig(DIVIDED);
    let meter = open(&rig, &DeviceDirectory::new());
    let device = &meter.devices()[0];
    let found: Vec<_> =
        device.instances.iter().map(|one| (one.id, one.slices, &*one.profile, &*one.uuids[0])).collect();
    assert_eq!(found, [(1, 3, "3g.40gb", "MIG-3"), (5, 2, "2g.20gb", "MIG-2"), (9, 1, "1g.10gb", "MIG-1")]);
    assert_eq!((device.slices, device.minor), (7, Some(3)));
    let placements: Vec<_> = device.instances.iter().map(|one| one.placement).collect();
    assert_eq!(placements, [Some((9, 4)), None, None], "told of the first one only");
    assert_eq!(DeviceId::of("gpu-3-mig-3g40gb-9-4").names(device), Some(DevicePart::Instance(1)));
    assert_eq!(DeviceId::of("gpu-3-mig-2g20gb-14-2").names(device), Some(DevicePart::Instance(5)), "the only one");
    assert!(device.path.ends_with("divided into 3 instances (MIG)"), "{}", device.path);
}

#[test]
fn without_their_activity_instances_that_have_processes_count_by_slices_and_say_so() {
    let mut rig = rig(DIVIDED);
    let mut meter = open(&rig, &DeviceDirectory::new());
    let expected = [(42, Some(1), 1.5), (43, Some(1), 1.5), (44, Some(5), 2.0)];
    until(&mut rig, &mut meter, DIVIDED, &expected, SharesBy::InstanceSlices);
    assert_eq!(rig.readings()[0].as_ref().unwrap().utilisation, None, "how busy it is is not known");
}

#[test]
fn clients_of_a_multi_process_server_are_users_of_their_instance() {
    // The server is a process of the instance as well, and does nothing by itself: the driver does not tell how much.
    let script = DIVIDED.replace("pid=43 kind=g", "pid=43 kind=m");
    let mut rig = rig(&script);
    let mut meter = open(&rig, &DeviceDirectory::new());
    let expected = [(42, Some(1), 1.5), (43, Some(1), 1.5), (44, Some(5), 2.0)];
    until(&mut rig, &mut meter, &script, &expected, SharesBy::InstanceSlices);
}

#[test]
fn their_activity_counts_where_it_is_known_and_no_longer_than_it_is() {
    let mut rig = rig(DIVIDED);
    let directory = DeviceDirectory::new();
    let active = |busy: [f64; 3]| {
        let entries = [1, 5, 9].into_iter().zip(busy).map(|(id, busy)| InstanceActivity::new("GPU-a", id, busy));
        directory.publish_activity(Timestamp::now(), entries.collect());
    };
    active([0.5, 0.25, 0.0]);
    let mut meter = open(&rig, &directory);
    let expected = [(42, Some(1), 0.75), (43, Some(1), 0.75), (44, Some(5), 0.5)];
    until(&mut rig, &mut meter, DIVIDED, &expected, SharesBy::InstanceActivity);
    let utilisation = rig.readings()[0].as_ref().unwrap().utilisation.unwrap();
    assert!((utilisation - 2.0 / 7.0).abs() < 0.01, "{utilisation}");
    // One that is busy and shows no process is in use all the same.
    active([0.5, 0.25, 1.0]);
    let expected = [(42, Some(1), 0.75), (43, Some(1), 0.75), (44, Some(5), 0.5), (0, Some(9), 1.0)];
    until(&mut rig, &mut meter, DIVIDED, &expected, SharesBy::InstanceActivity);
    directory.publish_activity(Timestamp::now(), Vec::new());
    let expected = [(42, Some(1), 1.5), (43, Some(1), 1.5), (44, Some(5), 2.0)];
    until(&mut rig, &mut meter, DIVIDED, &expected, SharesBy::InstanceSlices);
}

#[test]
fn a_device_that_is_divided_again_while_it_is_read_is_followed() {
    let mut rig = rig(DIVIDED);
    let mut meter = open(&rig, &DeviceDirectory::new());
    let generation = meter.generation();
    let whole = "gpu uuid=GPU-a name=A100 bus=0x41 energy=1000 mig=1\n\
        instance gpu=0 place=0 id=0 uuid=MIG-7 slices=7 profile=7g.80gb\nprocess gpu=0 instance=0 pid=42\n";
    until(&mut rig, &mut meter, whole, &[(42, Some(0), 7.0)], SharesBy::InstanceSlices);
    let found: Vec<_> = meter.devices()[0].instances.iter().map(|one| (one.id, one.slices)).collect();
    assert_eq!(found, [(0, 7)]);
    assert!(meter.generation() > generation);
    // And no longer divided at all.
    rig.script(&counted(5000).replace("mig=1", "mig=0"));
    rig.until(&mut meter, |readings| {
        readings[0].as_ref().is_ok_and(|reading| reading.users.iter().all(|user| user.instance.is_none()))
    });
    for _ in 0..500 {
        if meter.devices()[0].instances.is_empty() {
            assert_eq!(meter.devices()[0].slices, 0);
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        rig.until(&mut meter, |_| true);
    }
    panic!("it stays divided: {:?}", meter.devices());
}
