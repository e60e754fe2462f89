//! What tells the cards of a machine apart, and which of them a process sees.

/// A card's identity: the model's with the card's number in it.
pub fn uuid(number: usize) -> [u8; 16] {
    let mut uuid = *b"virtual card\0\0\0\0";
    uuid[15] = number as u8;
    uuid
}

/// The same, as NVML and `CUDA_VISIBLE_DEVICES` write it.
pub fn uuid_text(number: usize) -> String {
    let hex: String = uuid(number).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("GPU-{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The number of a card's bus: each card is alone on one, in domain 0 and as device 0.
pub fn bus(number: usize) -> u32 {
    number as u32 + 1
}

/// Where a card is, as NVML writes it.
pub fn bus_id(number: usize) -> String {
    format!("00000000:{:02X}:00.0", bus(number))
}

/// Which of `cards` cards is where `text` says: `domain:bus:device.function`, without the domain or the
/// function where somebody left them out.
pub fn at_bus_id(cards: usize, text: &str) -> Option<usize> {
    let number = |part: &str| u32::from_str_radix(part, 16).ok();
    let (place, function) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = place.rsplitn(3, ':');
    let (device, bus) = (number(parts.next()?)?, number(parts.next()?)?);
    let domain = number(parts.next().unwrap_or("0"))?;
    let is_ours = (domain, device, number(function)?) == (0, 0, 0);
    (0..cards).find(|card| is_ours && self::bus(*card) == bus)
}

/// The cards that `CUDA_VISIBLE_DEVICES` leaves: up to the first that there is none of.
pub fn visible(cards: usize, variable: Option<&str>) -> Vec<usize> {
    let Some(list) = variable else { return (0..cards).collect() };
    list.split(',').map_while(|name| named(cards, name.trim())).collect()
}

/// By its number, or by as much of its UUID as no other card's begins with.
fn named(cards: usize, name: &str) -> Option<usize> {
    if !name.starts_with("GPU-") {
        return name.parse().ok().filter(|number| *number < cards);
    }
    let mut found = (0..cards).filter(|number| uuid_text(*number).starts_with(name));
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_visible_up_to_the_first_that_is_not_there() {
        assert_eq!(visible(3, None), [0, 1, 2]);
        assert_eq!(visible(3, Some("2,0")), [2, 0]);
        assert_eq!(visible(3, Some("1,7,0")), [1]);
        assert_eq!(visible(3, Some("")), [0usize; 0]);
        assert_eq!(visible(3, Some("-1")), [0usize; 0]);
    }

    #[test]
    fn cards_are_named_by_uuids_as_well() {
        let (first, third) = (uuid_text(0), uuid_text(2));
        assert_eq!(visible(3, Some(&third)), [2]);
        assert_eq!(visible(3, Some(&format!("{third}, 1,{first}"))), [2, 1, 0]);
        // The beginning of one card's, and of three.
        assert_eq!(visible(1, Some("GPU-76")), [0]);
        assert_eq!(visible(3, Some("1,GPU-76,0")), [1]);
        assert_eq!(visible(2, Some(&third)), [0usize; 0]);
    }

    #[test]
    fn a_card_is_found_where_it_is() {
        for written in ["00000000:02:00.0", "0000:02:00.0", "0:2:0", "2:0.0", "02:00"] {
            assert_eq!(at_bus_id(2, written), Some(1), "{written}");
            assert_eq!(at_bus_id(1, written), None, "{written}");
        }
        for other in ["", "2", "0:2:1", "1:2:0", "0:2:0.1", "0:0:0", "0:2:x"] {
            assert_eq!(at_bus_id(2, other), None, "{other}");
        }
        for card in 0..16 {
            assert_eq!(at_bus_id(16, &bus_id(card)), Some(card));
        }
    }
}
