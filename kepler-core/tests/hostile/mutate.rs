//! Damages files, the same way for the same seed.

/// Longer ones are cut.
const LONGEST: usize = 512 * 1024;
/// What numbers become.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1",
    "1e308",
    "-1e308",
    "1e999",
    "5e-324",
    "1e-320",
    "2147483647",
    "-2147483648",
    "4294967296",
    "18446744073709551615",
    "NaN",
    "null",
    "\"1E2\"",
    "[0]",
];

pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Mutator(seed)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A index and a length from there, mostly short.
    fn piece(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length);
        let most = if self.below(4) == 0 { length } else { 32 };
        (from, from + self.below(most.min(length - from)))
    }

    /// One of the files with one to six changes.
    pub(crate) fn damaged(&mut self, files: &[Vec<u8>]) -> Vec<u8> {
        let chosen = self.below(files.len());
        let mut bytes = files[chosen].clone();
        for _ in 0..=self.below(6) {
            if bytes.is_empty() {
                break;
            }
            self.change(&mut bytes, files);
            bytes.truncate(LONGEST);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, files: &[Vec<u8>]) {
        let (from, to) = self.piece(bytes.len());
        match self.below(9) {
            0 => bytes[from] = self.next() as u8,
            1 => bytes[from] ^= 1 << self.below(8),
            2 if self.below(3) == 0 => bytes.truncate(from),
            3 => _ = bytes.drain(from..to),
            4 => {
                // Also very often: that is what makes files hostile.
                let times = [1, 2, 40, 2000][self.below(4)].min(LONGEST / (to - from).max(1));
                let piece = bytes[from..to].repeat(times);
                bytes.splice(from..from, piece);
            }
            5 => {
                let other = self.below(files.len());
                let (start, end) = self.piece(files[other].len());
                bytes.splice(from..to, files[other][start..end].to_vec());
            }
            _ => self.number(bytes),
        }
    }

    /// Another number in place of one.
    fn number(&mut self, bytes: &mut Vec<u8>) {
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let start = self.below(bytes.len());
        let Some(from) = (start..bytes.len()).find(|&index| bytes[index].is_ascii_digit()) else { return };
        let to = (from..bytes.len()).find(|&index| !is_part(&bytes[index])).unwrap_or(bytes.len());
        let number = match self.below(3) {
            0 => self.below(12).to_string(),
            _ => NUMBERS[self.below(NUMBERS.len())].to_owned(),
        };
        bytes.splice(from..to, number.into_bytes());
    }
}
