//! Meters on trees and registers laid out as real kernels lay them out.

mod msr;
mod powercap;
mod replay;
