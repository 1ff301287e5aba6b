/// One quantity, measured several times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The middle value.
    pub median: f64,
    /// Half the distance between the quartiles.
    pub spread: f64,
}

impl Sample {
    /// Of values in any order.
    ///
    /// # Panics
    ///
    /// Without values.
    pub fn of(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "a sample needs values");
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: quantile(&sorted, 0.5),
            spread: (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / 2.0,
        }
    }

    /// The ratios within each round: a slow-down of a whole round does not count.
    pub fn of_ratios(values: &[f64], to: &[f64]) -> Self {
        let ratios: Vec<f64> = values.iter().zip(to).map(|(value, to)| value / to).collect();
        Self::of(&ratios)
    }
}

fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// Measures every candidate once a round, each round in another order, and gives each one's values in the order of the
/// rounds.
pub fn interleaved<T>(rounds: usize, candidates: &mut [Box<dyn FnMut() -> T + '_>]) -> Vec<Vec<T>> {
    let mut values: Vec<Vec<T>> = candidates.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds {
        for turn in 0..candidates.len() {
            let index = (round + turn) % candidates.len();
            values[index].push(candidates[index]());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_quartiles() {
        let sample = Sample::of(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(
            sample,
            Sample {
                median: 3.0,
                spread: 1.0
            }
        );
        assert_eq!(Sample::of(&[1.0, 2.0]).median, 1.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let sample = Sample::of_ratios(&[2.0, 20.0, 6.0], &[1.0, 10.0, 2.0]);
        assert_eq!(
            sample,
            Sample {
                median: 2.0,
                spread: 0.25
            }
        );
    }

    #[test]
    fn every_candidate_is_measured_in_every_round() {
        let order = std::cell::RefCell::new(Vec::new());
        let candidate = |index: usize| {
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(index);
                index as f64
            }) as Box<dyn FnMut() -> f64>
        };
        let values = interleaved(2, &mut [candidate(0), candidate(1), candidate(2)]);
        assert_eq!(values, [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]);
        assert_eq!(order.into_inner(), [0, 1, 2, 1, 2, 0]);
    }
}
