//! Which of a pool's granules are backed by memory of the card, and how much lies in each.

use std::ops::Range;

/// One granule.
#[derive(Debug, Clone, Copy, Default)]
struct Granule {
    is_backed: bool,
    /// Bytes that are allocated or belong to a stream.
    held: u64,
}

impl Granule {
    fn is_idle(self) -> bool {
        self.is_backed && self.held == 0
    }
}

/// The granules of one pool, by number.
#[derive(Debug, Clone)]
pub struct Granules {
    /// Bytes of each.
    size: u64,
    granules: Vec<Granule>,
    backed: u64,
    /// Backed ones in which nothing lies.
    idle: u64,
}

impl Granules {
    pub fn new(size: u64) -> Self {
        Self { size, granules: Vec::new(), backed: 0, idle: 0 }
    }

    /// Bytes of each.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that are backed.
    pub fn reserved(&self) -> u64 {
        self.backed * self.size
    }

    /// The granules that these addresses lie in.
    fn over(&self, addresses: &Range<u64>) -> Range<u64> {
        addresses.start / self.size..addresses.end.div_ceil(self.size)
    }

    /// Those of these granules that there are.
    fn known(&self, over: &Range<u64>) -> &[Granule] {
        let known = self.granules.len() as u64;
        &self.granules[over.start.min(known) as usize..over.end.min(known) as usize]
    }

    /// How many under these addresses are not backed.
    fn missing(&self, addresses: &Range<u64>) -> u64 {
        let over = self.over(addresses);
        let backed = self.known(&over).iter().filter(|granule| granule.is_backed).count();
        (over.end - over.start).saturating_sub(backed as u64)
    }

    /// Whether there is memory under all of these addresses.
    pub fn are_backed(&self, addresses: Range<u64>) -> bool {
        self.missing(&addresses) == 0
    }

    /// By how many bytes reserved grows if something lies at these addresses.
    pub fn growth(&self, addresses: Range<u64>) -> u64 {
        let own = self.known(&self.over(&addresses)).iter().filter(|g| g.is_idle()).count() as u64;
        self.missing(&addresses).saturating_sub(self.idle - own) * self.size
    }

    /// Something lies at these addresses from now on. Where there is no memory, idle granules give
    /// theirs, the highest first, before there is more. Returns the numbers of those that gave.
    pub fn hold(&mut self, addresses: Range<u64>) -> Vec<u64> {
        let over = self.over(&addresses);
        if self.granules.len() < over.end as usize {
            self.granules.resize(over.end as usize, Granule::default());
        }
        self.change(&addresses, |granule, bytes| granule.held += bytes);
        let missing = self.missing(&addresses);
        let gave = (0..missing).map_while(|_| self.give_back()).collect();
        for granule in &mut self.granules[over.start as usize..over.end as usize] {
            self.backed += u64::from(!granule.is_backed);
            granule.is_backed = true;
        }
        gave
    }

    /// What lay at these addresses is gone.
    pub fn let_go(&mut self, addresses: Range<u64>) {
        self.change(&addresses, |granule, bytes| granule.held -= bytes);
    }

    fn change(&mut self, addresses: &Range<u64>, change: impl Fn(&mut Granule, u64)) {
        for number in self.over(addresses) {
            let (start, end) = (number * self.size, (number + 1) * self.size);
            let granule = &mut self.granules[number as usize];
            self.idle -= u64::from(granule.is_idle());
            change(granule, end.min(addresses.end) - start.max(addresses.start));
            self.idle += u64::from(granule.is_idle());
        }
    }

    /// Takes the memory of the highest idle one away, and names it.
    pub fn give_back(&mut self) -> Option<u64> {
        let last = self.granules.iter().rposition(|granule| granule.is_idle())?;
        self.granules[last].is_backed = false;
        self.backed -= 1;
        self.idle -= 1;
        Some(last as u64)
    }
}
