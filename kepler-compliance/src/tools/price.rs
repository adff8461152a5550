//! What a kilowatt-hour costs on the mean of a month.

use super::figures::MONTH;
use crate::context::Context;
use crate::messages::{EnergyMessage, Message};
use crate::tariff::{EnergyPrice, Tariff};
use jiff::SignedDuration;

/// Hours without a price that a mean may stand for, as a share: where more are missing it says too little.
const MOST_MISSING: f64 = 0.5;

/// The price that monthly costs are reckoned with.
pub(super) struct MonthPrice {
    pub(super) per_kwh: Option<EnergyPrice>,
    /// What is assumed, where the price depends on the hour.
    pub(super) caveat: Option<Message>,
}

impl MonthPrice {
    /// The price that is stated for all hours, or the mean of a tariff over the month to come.
    ///
    /// A month is a projection, so nothing says in which of its hours the work will run: it is taken to run through all
    /// of them alike.
    pub(super) fn of(context: &Context<'_>) -> Self {
        match (&context.settings.tariff, &context.settings.price) {
            (Some(tariff), _) => MonthPrice::by_hours(context, tariff),
            (None, price) => MonthPrice { per_kwh: price.as_ref().map(|price| price.per_kwh), caveat: None },
        }
    }

    fn by_hours(context: &Context<'_>, tariff: &Tariff) -> Self {
        let length = SignedDuration::try_from(MONTH).ok();
        let end = length.and_then(|length| context.now.checked_add(length).ok());
        let prices = end.and_then(|end| tariff.prices(context.now, end));
        let (mut priced, mut sum) = (0.0, 0.0);
        for step in prices.iter().flat_map(|prices| prices.steps()) {
            let seconds = step.end.duration_since(step.start).as_secs_f64();
            priced += seconds;
            sum += seconds * step.value.value();
        }
        let share = priced / MONTH.as_secs_f64();
        let (code, percent) = (tariff.code.clone(), share * 100.0);
        if share < 1.0 - MOST_MISSING {
            return MonthPrice {
                per_kwh: None,
                caveat: Some(EnergyMessage::CostUnknown { tariff: code, percent }.into()),
            };
        }
        let (mean, currency) = (sum / priced, tariff.currency.clone());
        MonthPrice {
            per_kwh: Some(EnergyPrice::per_kilowatt_hour(mean)),
            caveat: Some(EnergyMessage::CostByHours { tariff: code, mean, currency, percent }.into()),
        }
    }
}
