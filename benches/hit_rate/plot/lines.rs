use plotters::prelude::*;

use super::{ALARM, Canvas, FAINT, GRID, Line, Notes, SIZE, colour, frame};
use crate::AnyError;
use crate::policy::Kind;
use crate::simulate::Tally;
use crate::sweeps::{Point, Sweep};

const RIGHT: i32 = 325;
const LABEL_STEP: i32 = 21;

/// One line for each policy, with its name at the end. Crosses are wrong answers.
pub(super) fn draw(canvas: &Canvas<'_>, sweep: Sweep, points: &[Point], notes: &Notes) -> Result<(), AnyError> {
    frame(canvas, title(sweep), notes)?;
    let font = ("sans-serif", 14);
    let shown = shown(points);
    let from = match shown.start {
        0.0 => String::new(),
        start => format!(" (from {start} %)"),
    };
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(50)
        .margin_left(14)
        .margin_right(RIGHT)
        .margin_bottom(58)
        .x_label_area_size(46)
        .y_label_area_size(52)
        .build_cartesian_2d(0..points.len() as i32 - 1, shown)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .x_labels(points.len())
        .x_label_formatter(&|index| points[*index as usize].label.clone())
        .y_labels(6)
        .y_label_formatter(&|percent| format!("{percent:.0} %"))
        .label_style(font)
        .x_desc(axis(sweep))
        .y_desc(format!("checks without a call{from}"))
        .axis_desc_style(font)
        .draw()?;

    let mut ends: Vec<End> = Vec::new();
    for kind in drawn() {
        let tallies: Vec<Tally> = points.iter().filter_map(|point| of(point, kind)).collect();
        if tallies.is_empty() {
            continue;
        }
        let places = (0..).zip(tallies.iter().map(|tally| tally.saved_share() * 100.0));
        let places: Vec<(i32, f64)> = places.collect();
        let wrong = tallies.iter().map(|tally| tally.violations).sum();
        let width = if kind.is_ours() && kind != Kind::OursAround {
            4
        } else {
            2
        };
        let style = colour(kind).stroke_width(width);
        if !kind.promises_floors() {
            chart.draw_series(DashedLineSeries::new(places.clone(), 7, 5, style))?;
        } else {
            chart.draw_series(LineSeries::new(places.clone(), style))?;
        }
        for (place, tally) in places.iter().zip(&tallies) {
            if tally.violations > 0 {
                chart.draw_series([Cross::new(*place, 5, style)])?;
            } else {
                chart.draw_series([Circle::new(*place, width as i32 + 1, style.filled())])?;
            }
        }
        if let Some(last) = places.last() {
            ends.push(End {
                kind,
                share: last.1,
                wrong,
                at: chart.backend_coord(last),
            });
        }
    }
    name_all(canvas, ends)
}

/// The policies that have a line, ours on top. A policy that never saves a call has no line.
fn drawn() -> impl Iterator<Item = Kind> {
    let others = |kind: &Kind| !matches!(kind, Kind::NoCache | Kind::Ours);
    Kind::ALL.into_iter().filter(others).chain([Kind::Ours])
}

/// From the tens below the least percentage to those above the greatest.
fn shown(points: &[Point]) -> std::ops::Range<f64> {
    let tallies = points
        .iter()
        .flat_map(|point| drawn().filter_map(|kind| of(point, kind)));
    let shares: Vec<f64> = tallies.map(|tally| tally.saved_share() * 10.0).collect();
    let least = shares.iter().copied().fold(10.0, f64::min).floor();
    let greatest = shares.iter().copied().fold(0.0, f64::max).ceil();
    least * 10.0..greatest * 10.0
}

fn of(point: &Point, kind: Kind) -> Option<Tally> {
    point
        .tallies
        .iter()
        .find(|(of, _)| *of == kind)
        .map(|(_, tally)| *tally)
}

/// Where a line ends, to be named beside.
struct End {
    kind: Kind,
    share: f64,
    wrong: u64,
    at: (i32, i32),
}

/// Next to the ends in their order, but never overlapping.
fn name_all(canvas: &Canvas<'_>, mut ends: Vec<End>) -> Result<(), AnyError> {
    ends.sort_by_key(|end| end.at.1);
    let mut places: Vec<i32> = ends.iter().map(|end| end.at.1).collect();
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + LABEL_STEP);
    }
    let mut lowest = SIZE.1 - 100;
    for place in places.iter_mut().rev() {
        *place = (*place).min(lowest);
        lowest = *place - LABEL_STEP;
    }
    for (end, y) in ends.into_iter().zip(places) {
        let (from, x) = (end.at.0 + 6, end.at.0 + 26);
        canvas.draw(&PathElement::new(
            [(from, end.at.1), (x - 4, y)],
            colour(end.kind).mix(0.7),
        ))?;
        let name = Line {
            bold: end.kind.is_ours(),
            size: 14,
            ..Line::LABEL
        };
        canvas.draw(&Circle::new((x + 3, y), 5, colour(end.kind).filled()))?;
        let mut text = format!("{:.0} %  {}", end.share, end.kind.name());
        let mut alarm = name;
        if end.wrong > 0 {
            text += &format!(" ({} wrong)", end.wrong);
            alarm.colour = ALARM;
        }
        alarm.draw(canvas, &text, (x + 14, y))?;
    }
    Ok(())
}

fn title(sweep: Sweep) -> &'static str {
    match sweep {
        Sweep::Usual => "How many checks need no call to the service?",
        Sweep::Interval => "How many calls are saved by letting answers live longer?",
        Sweep::WriteRate => "How many checks still need no call when there are more writes?",
        Sweep::Skew => "How many checks need no call when they spread over more questions?",
        Sweep::TokenAge => "How many checks need no call when more callers know of fresh writes?",
        Sweep::CacheSize => "How many entries are enough?",
        Sweep::Feed => "How fast does the change feed have to be?",
        Sweep::Groups => "How many checks need no call when more of the writes touch groups?",
    }
}

fn axis(sweep: Sweep) -> &'static str {
    match sweep {
        Sweep::Usual => "",
        Sweep::Interval => "interval (an answer lives up to 10 % longer)",
        Sweep::WriteRate => "writes a second to the whole store",
        Sweep::Skew => "exponent of Zipf's law (to the right: fewer questions, asked more often)",
        Sweep::TokenAge => "share of tokens from the last 10 s",
        Sweep::CacheSize => "entries that the cache may hold",
        Sweep::Feed => "how long after a write the feed reports it",
        Sweep::Groups => "share of the writes that touch groups",
    }
}
