//! What `--device` asks for.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A card if one can be used, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The card of this number, the first without one.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Ok(ordinal))) => Ok(Self::Cuda(ordinal)),
            _ => Err("expected auto, cpu, cuda or cuda:N"),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// What `--device` of a sweep asks for: one device, or several cards of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DevicesChoice {
    /// One device.
    One(DeviceChoice),
    /// Every card that this process sees.
    AllCards,
    /// The cards of these numbers, each named once.
    Cards(Vec<usize>),
}

impl Default for DevicesChoice {
    fn default() -> Self {
        Self::One(DeviceChoice::Auto)
    }
}

impl FromStr for DevicesChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected auto, cpu, cuda, cuda:N, cuda:N,N,... or cuda:all";
        match text.strip_prefix("cuda:") {
            Some("all") => Ok(Self::AllCards),
            Some(list) if list.contains(',') => {
                let ordinals: Result<Vec<usize>, _> = list.split(',').map(str::parse).collect();
                let ordinals = ordinals.map_err(|_| EXPECTED)?;
                let mut seen = HashSet::new();
                match ordinals.iter().all(|ordinal| seen.insert(*ordinal)) {
                    true => Ok(Self::Cards(ordinals)),
                    false => Err("names a card twice"),
                }
            }
            _ => text.parse().map(Self::One).map_err(|_| EXPECTED),
        }
    }
}

impl fmt::Display for DevicesChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(choice) => choice.fmt(f),
            Self::AllCards => f.write_str("cuda:all"),
            Self::Cards(ordinals) => {
                let numbers: Vec<String> = ordinals.iter().map(usize::to_string).collect();
                write!(f, "cuda:{}", numbers.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_cards_are_read_as_they_are_written() {
        for (text, choice) in [
            ("auto", DevicesChoice::default()),
            ("cuda:3", DevicesChoice::One(DeviceChoice::Cuda(3))),
            ("cuda:all", DevicesChoice::AllCards),
            ("cuda:2,0", DevicesChoice::Cards(vec![2, 0])),
        ] {
            assert_eq!(text.parse(), Ok(choice.clone()));
            assert_eq!(choice.to_string(), text);
        }
        for wrong in ["", "all", "cuda:0,", "cuda:,", "cuda:0,all", "cuda:0;1", "0,1", "cpu,cuda:0"]
        {
            assert!(wrong.parse::<DevicesChoice>().is_err(), "{wrong}");
        }
        assert_eq!("cuda:1,1".parse::<DevicesChoice>(), Err("names a card twice"));
    }

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda:0", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda0", "CPU"] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }
}
