//! A binary without the meter gets an error, never 0.

use vram_metrics::host::HostMeter;
use vram_metrics::meter::MeterError;

#[cfg(unix)]
#[test]
fn the_meter_is_an_error() {
    let error = HostMeter::new().unwrap_err();
    assert_eq!(error, MeterError::NotInstalled);
    assert!(error.to_string().contains("#[global_allocator]"));
}
