//! What is published about the power sensors of NVIDIA's devices.

/// Products whose sensor looks at 25 ms of every 100 ms (Yang, Adamek, Armour: *Part-time power measurements*, arXiv 2312.02741, 2023).
/// Their successors were not looked at there.
const QUARTER: [&str; 2] = ["A100", "H100"];

/// The share of time that the sensor of a product looks at, where it is known to be less than all.
pub(super) fn observed(product: &str) -> Option<f64> {
    let words = || product.split([' ', '-']);
    words().any(|word| QUARTER.contains(&word)).then_some(0.25)
}

#[cfg(test)]
mod tests {
    use super::observed;

    #[test]
    fn the_sensors_of_a100_and_h100_look_at_a_quarter_of_the_time() {
        for product in ["NVIDIA A100-SXM4-40GB", "NVIDIA A100 80GB PCIe", "NVIDIA H100 80GB HBM3", "A100-PCIE-40GB"] {
            assert_eq!(observed(product), Some(0.25), "{product}");
        }
        for product in ["NVIDIA H200", "Tesla V100-SXM2-16GB", "NVIDIA GH200 480GB", "NVIDIA RTX A1000", ""] {
            assert_eq!(observed(product), None, "{product}");
        }
    }
}
