//! The meters of a card: what they count, whatever computes there.
#![cfg(feature = "cuda")]

use cudarc::driver::CudaContext;
use vram_metrics::clock::StepClock;
use vram_metrics::cuda::events::EventClock;
use vram_metrics::cuda::pool::PoolMeter;
use vram_metrics::driver::Driver;
use vram_metrics::meter::Meter;
use vram_metrics::phase::Phase;

mod on_any_card {
    use super::*;

    /// Alone on the pool: the other test allocates nothing.
    #[test]
    #[ignore = "needs a card, real or virtual"]
    fn the_pool_counts_to_the_byte_and_keeps_what_is_freed() {
        let card = Driver::open().unwrap().card(0).unwrap();
        let meter = PoolMeter::new(&card).unwrap();
        let stream = CudaContext::new(0).unwrap().new_stream().unwrap();
        let granule = meter.granule_bytes(&stream).unwrap();
        assert_eq!(granule % (2 << 20), 0);
        let levels = || {
            let (allocated, reserved) = (meter.allocated().unwrap(), meter.reserved().unwrap());
            (allocated.current, allocated.peak, reserved.current, reserved.peak)
        };
        meter.reset_peaks().unwrap();
        assert_eq!(levels(), (0, 0, granule, granule));
        let small = stream.alloc_zeros::<u8>(12_345).unwrap();
        assert_eq!(levels(), (12_345, 12_345, granule, granule));
        let large = stream.alloc_zeros::<u8>(granule as usize).unwrap();
        let both = granule + 12_345;
        assert_eq!(levels(), (both, both, 2 * granule, 2 * granule));
        drop((small, large));
        assert_eq!(levels(), (0, both, 2 * granule, 2 * granule));
        meter.reset_peaks().unwrap();
        assert_eq!(levels(), (0, 0, 2 * granule, 2 * granule));
        assert!(meter.context_bytes().unwrap() > 0);
    }

    #[test]
    #[ignore = "needs a card, real or virtual"]
    fn the_clock_tells_of_every_step_and_lap() {
        let stream = CudaContext::new(0).unwrap().new_stream().unwrap();
        let mut clock = EventClock::new(stream);
        for _ in 0..3 {
            clock.begin();
            clock.lap(Phase::ForwardEnd);
            clock.lap(Phase::StepEnd);
            clock.end();
        }
        let steps = clock.finish();
        assert_eq!(steps.len(), 3);
        for step in steps {
            assert!(step.seconds.is_finite());
            let laps: Vec<Phase> = step.laps.iter().map(|(phase, _)| *phase).collect();
            assert_eq!(laps, [Phase::ForwardEnd, Phase::StepEnd]);
        }
        assert!(clock.finish().is_empty());
    }
}
