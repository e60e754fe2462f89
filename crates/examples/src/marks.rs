//! The card that a program runs on, and what its memory pool has counted at each mark.

use std::io::{Write, stdout};

use candle_core::Device;
use vram_metrics::cuda::pool::PoolMeter;
use vram_metrics::driver::Driver;
use vram_metrics::meter::Meter;

use crate::Result;
use crate::arguments::{PoolArgument, PoolSetUp};

/// Prints a line of the memory pool's counters, in bytes, at each mark. The two `high` are the most
/// since the program started.
#[derive(Debug)]
pub struct Marks {
    meter: PoolMeter,
}

impl Marks {
    /// The marks of a program on the first card, and the card as candle's device. To be called
    /// first: it sets the pool up, and what is allocated before is not counted.
    ///
    /// # Errors
    ///
    /// If there is no card, or its pool or the output cannot be used.
    pub fn on_first_card(PoolArgument { pool }: PoolArgument) -> Result<(Self, Device)> {
        let card = Driver::open()?.card(0)?;
        let meter = match pool {
            PoolSetUp::Kept => PoolMeter::new(&card)?,
            PoolSetUp::Driver => PoolMeter::untouched(&card)?,
        };
        writeln!(stdout().lock(), "mark\tused\tused_high\treserved\treserved_high")?;
        Ok((Self { meter }, Device::new_cuda(card.ordinal)?))
    }

    /// Marks the point `name` of the program's work.
    ///
    /// # Errors
    ///
    /// If the pool or the output cannot be used.
    pub fn mark(&self, name: &str) -> Result<()> {
        vram_metrics::mark(name);
        let (used, reserved) = (self.meter.allocated()?, self.meter.reserved()?);
        writeln!(
            stdout().lock(),
            "{name}\t{}\t{}\t{}\t{}",
            used.current,
            used.peak,
            reserved.current,
            reserved.peak
        )?;
        Ok(())
    }
}
