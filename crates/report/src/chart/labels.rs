//! Names beside points, where there is room for them.

use super::text::{cut, width};

/// Half of the room that a point takes, in pixels.
const POINT: f64 = 6.0;

/// A part of a drawing, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }
}

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    pub area: Area,
    pub text: String,
}

/// A name for each point, within an area, that meets no point and no other name: above, below or
/// beside it. Where none of these has room the point has none; its mark says its name all the same.
pub(crate) fn place(points: &[(f64, f64, &str)], size: f64, within: Area) -> Vec<Label> {
    let around = |x: f64, y: f64| Area {
        left: x - POINT,
        top: y - POINT,
        right: x + POINT,
        bottom: y + POINT,
    };
    let mut taken: Vec<Area> = points.iter().map(|&(x, y, _)| around(x, y)).collect();
    let mut placed = Vec::new();
    for &(x, y, name) in points {
        let text = cut(name, size, 0.5 * (within.right - within.left));
        let (wide, high) = (width(&text, size), 1.3 * size);
        let at = |left: f64, top: f64| Area { left, top, right: left + wide, bottom: top + high };
        let (above, below) = (y - POINT - high, y + POINT);
        let candidates = [
            at(x - wide / 2.0, above),
            at(x - wide / 2.0, below),
            at(x + POINT, y - high / 2.0),
            at(x - POINT - wide, y - high / 2.0),
            at(x, above),
            at(x - wide, above),
            at(x, below),
            at(x - wide, below),
        ];
        let is_free =
            |area: &&Area| within.holds(area) && !taken.iter().any(|other| area.meets(other));
        if let Some(&area) = candidates.iter().find(is_free) {
            taken.push(area);
            placed.push(Label { area, text });
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WITHIN: Area = Area { left: 40.0, top: 10.0, right: 300.0, bottom: 150.0 };

    #[test]
    fn a_name_stands_above_its_point_and_beside_it_where_another_is() {
        let placed = place(&[(100.0, 80.0, "DP1"), (100.0, 60.0, "DP2")], 11.0, WITHIN);
        assert!(placed[0].area.top >= 86.0, "the other point is above: {placed:?}");
        assert!(placed[1].area.bottom <= 54.0, "{placed:?}");
    }

    proptest! {
        #[test]
        fn names_meet_nothing_and_are_whole(
            points in proptest::collection::vec((40.0..300.0, 10.0..150.0, "\\PC{0,40}"), 0..40)
        ) {
            let points: Vec<_> = points.iter().map(|(x, y, name)| (*x, *y, name.as_str())).collect();
            let placed = place(&points, 11.0, WITHIN);
            for (i, label) in placed.iter().enumerate() {
                prop_assert!(WITHIN.holds(&label.area));
                prop_assert!(placed[..i].iter().all(|other| !other.area.meets(&label.area)));
                let covers = |&(x, y, _): &(f64, f64, &str)| {
                    label.area.meets(&Area { left: x - 4.0, top: y - 4.0, right: x + 4.0, bottom: y + 4.0 })
                };
                prop_assert!(!points.iter().any(covers));
            }
        }
    }
}
