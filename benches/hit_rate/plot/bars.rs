use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{ALARM, Canvas, FAINT, GRID, INK, Line, Notes, colour, frame, grouped};
use crate::AnyError;
use crate::sweeps::Point;

const LEFT: i32 = 245;
const WIDTH: i32 = 390;
const TOP: i32 = 84;
const STEP: i32 = 29;
const THICK: i32 = 19;
const AGE: i32 = 770;
const WRONG: i32 = 870;

/// One bar for each policy: the full colour is answers from memory, the pale one answers from a call that another
/// caller had begun.
pub(super) fn draw(canvas: &Canvas<'_>, point: &Point, notes: &Notes) -> Result<(), AnyError> {
    frame(
        canvas,
        "How many checks need no call to the service, and at what price?",
        notes,
    )?;
    let head = |anchor| Line {
        colour: FAINT,
        size: 14,
        anchor,
        ..Line::LABEL
    };
    head(HPos::Left).draw(canvas, "checks without a call (pale: waited for another's)", (LEFT, 62))?;
    head(HPos::Right).draw(canvas, "mean age", (AGE, 62))?;
    head(HPos::Right).draw(canvas, "wrong", (WRONG, 62))?;
    let bottom = TOP + STEP * point.tallies.len() as i32 - (STEP - THICK);
    for percent in [0, 25, 50, 75, 100] {
        let x = LEFT + WIDTH * percent / 100;
        canvas.draw(&PathElement::new([(x, TOP - 6), (x, bottom + 6)], GRID))?;
        let tick = Line {
            anchor: HPos::Center,
            ..Line::NOTE
        };
        tick.draw(canvas, &format!("{percent} %"), (x, bottom + 16))?;
    }
    for ((kind, tally), row) in point.tallies.iter().zip(0..) {
        let (top, middle) = (TOP + STEP * row, TOP + STEP * row + THICK / 2);
        let ours = kind.is_ours();
        let name = Line {
            anchor: HPos::Right,
            bold: ours,
            ..Line::LABEL
        };
        name.draw(canvas, kind.name(), (LEFT - 10, middle))?;
        let place = |share: f64| LEFT + (f64::from(WIDTH) * share) as i32;
        let (hits, saved) = (place(tally.hit_share()), place(tally.saved_share()));
        let full = colour(*kind);
        let part = |from, to| [(from, top), (to, top + THICK)];
        if kind.promises_floors() {
            canvas.draw(&Rectangle::new(part(LEFT, hits), full.filled()))?;
        } else {
            canvas.draw(&Rectangle::new(part(LEFT, hits), full.mix(0.25).filled()))?;
            dash_around(canvas, part(LEFT, hits), full)?;
        }
        canvas.draw(&Rectangle::new(part(hits, saved), full.mix(0.4).filled()))?;
        let share = Line {
            bold: ours,
            ..Line::LABEL
        };
        share.draw(
            canvas,
            &format!("{:.0} %", tally.saved_share() * 100.0),
            (saved + 8, middle),
        )?;
        let number = |text: String, colour, bold, x| {
            let line = Line {
                colour,
                bold,
                anchor: HPos::Right,
                ..Line::LABEL
            };
            line.draw(canvas, &text, (x, middle))
        };
        number(format!("{:.1} s", tally.mean_age()), INK, false, AGE)?;
        let wrong = tally.violations > 0;
        number(grouped(tally.violations), if wrong { ALARM } else { INK }, wrong, WRONG)?;
    }
    Ok(())
}

/// The mark of a policy that breaks its promise.
fn dash_around(
    canvas: &Canvas<'_>,
    [(left, top), (right, bottom)]: [(i32, i32); 2],
    colour: RGBColor,
) -> Result<(), AnyError> {
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    canvas.draw(&DashedPathElement::new(corners, 5, 4, colour.stroke_width(2)))?;
    Ok(())
}
