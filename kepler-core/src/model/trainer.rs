//! Which algorithm made a model: known by its name only.

/// The algorithm that made a model, as far as this module can evaluate its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the names of a published database")]
pub enum Trainer {
    /// Gradient-boosted trees.
    Xgboost,
    /// A linear model fitted by stochastic gradient descent.
    Sgd,
    /// A linear model fitted by least squares, or one whose trainer is not named.
    Linear,
    /// `a·ln(b·x + 1) + c` of one main feature.
    Logarithmic,
    /// `A / (1 + e^(−k·(x − x0))) + offset` of one main feature.
    Logistic,
    /// `a·e^(b·x) + c` of one main feature.
    Exponential,
    /// Our own trainer: the [card](super::Model::card) says how. No file is named after it.
    Own,
}

impl Trainer {
    /// Those that published models are named after, in the order in which [`Catalogue::best_for`](super::Catalogue::best_for) prefers them.
    ///
    /// The published errors are not used for the choice: each was measured on other random rows of the same run.
    /// Trees come first because they were best under blocked cross-validation of the reference trainers;
    /// then what extrapolates without exploding.
    pub const ALL: [Trainer; 6] = [
        Trainer::Xgboost,
        Trainer::Sgd,
        Trainer::Linear,
        Trainer::Logarithmic,
        Trainer::Logistic,
        Trainer::Exponential,
    ];

    /// The name in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Trainer::Xgboost => "XgboostFitTrainer",
            Trainer::Sgd => "SGDRegressorTrainer",
            Trainer::Linear => "LinearRegressionTrainer",
            Trainer::Logarithmic => "LogarithmicRegressionTrainer",
            Trainer::Logistic => "LogisticRegressionTrainer",
            Trainer::Exponential => "ExponentialRegressionTrainer",
            Trainer::Own => "KeplerTrainer",
        }
    }

    /// Trainer and node type of `SGDRegressorTrainer_12`; `None` for anything else. The node type is
    /// compared as a number: `_1` is never taken for `_10`.
    #[must_use]
    pub fn split(name: &str) -> Option<(Trainer, u32)> {
        let (trainer, node_type) = name.rsplit_once('_')?;
        let trainer = Trainer::ALL.into_iter().find(|known| known.name() == trainer)?;
        // `parse` alone would take "+1".
        let digits = node_type.bytes().all(|byte| byte.is_ascii_digit());
        Some((trainer, node_type.parse().ok().filter(|_| digits)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_type_1_is_not_10() {
        assert_eq!(Trainer::split("SGDRegressorTrainer_1"), Some((Trainer::Sgd, 1)));
        assert_eq!(Trainer::split("SGDRegressorTrainer_10"), Some((Trainer::Sgd, 10)));
    }

    #[test]
    fn other_names_are_no_trainers() {
        for name in ["", "_", "SGDRegressorTrainer", "SGDRegressorTrainer_", "SGDRegressorTrainer_+1", "SVR_1"] {
            assert_eq!(Trainer::split(name), None, "{name}");
        }
    }

    #[test]
    fn every_name_reads_back() {
        for trainer in Trainer::ALL {
            assert_eq!(Trainer::split(&format!("{}_7", trainer.name())), Some((trainer, 7)));
        }
    }
}
