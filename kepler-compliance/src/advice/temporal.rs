//! Running later, when the grid is cleaner.

use super::{Advice, Change, Outcome, SHIFT_HORIZON, bounded};
use crate::intensity::SeriesBasis;
use crate::schedule::{Job, Request, plan};
use crate::text::Text;
use crate::tools::{Complexity, Context, Facility, OptimizationKind};
use crate::units::Power;
use std::time::Duration;

/// Work of `length`, were it free to wait for up to [`SHIFT_HORIZON`], against doing it now.
pub(crate) fn temporal_shift(context: &Context<'_>, facility: &Facility, length: Duration) -> Outcome {
    let no = |en: String, ko: String| Err(Text::new(en, ko));
    let now = context.now;
    let Ok(end) = now.checked_add(SHIFT_HORIZON) else {
        return no("There is no tomorrow in the calendar.".to_owned(), "달력의 끝입니다.".to_owned());
    };
    let series = match context.intensity.forecast(&facility.zone, now, end) {
        Ok(series) => series,
        Err(error) => {
            return no(format!("No intensity is forecast: {error}"), format!("탄소집약도 예측이 없습니다: {error}"));
        }
    };
    if series.basis == SeriesBasis::YearlyAverage {
        return no(
            "Only a yearly average of the intensity is known, which says nothing about when to run.".to_owned(),
            "연평균 탄소집약도만 알려져 있어 언제 실행할지 판단할 수 없습니다.".to_owned(),
        );
    }
    // Emissions are linear in power: that of one watt gives the ratio.
    let job = match Job::constant(length, Power::from_watts(1.0)) {
        Ok(job) => job,
        Err(error) => return no(error.to_string(), error.to_string()),
    };
    let found = match plan(&Request::new(&job, now, end, &series.values)) {
        Ok(found) => found,
        Err(error) => return no(error.to_string(), error.to_string()),
    };
    let Some(current) = &found.now else {
        return no("The intensity of now is not known.".to_owned(), "현재 탄소집약도를 알 수 없습니다.".to_owned());
    };
    let grams = |placement: &crate::schedule::Placement| placement.mean_intensity.grams_per_kilowatt_hour();
    let (before, after) = (grams(current), grams(&found.best));
    let factor = bounded(after / before);
    if factor >= 1.0 {
        return no(
            "Now is the cleanest time of the next 24 hours.".to_owned(),
            "앞으로 24시간 중 지금이 가장 깨끗한 시간입니다.".to_owned(),
        );
    }
    let start = found.best.start();
    let (basis, basis_ko) = match series.basis {
        SeriesBasis::Profile => ("a typical day", "전형적인 하루 프로필"),
        SeriesBasis::Forecast => ("a forecast", "예측값"),
        SeriesBasis::Observed | SeriesBasis::YearlyAverage => ("observed values", "관측값"),
    };
    Ok(Advice {
        kind: OptimizationKind::TemporalShift,
        change: Change::Time(factor),
        factor,
        range: (factor, 1.0),
        complexity: Complexity::Low,
        description: Text::new(
            format!("If it can wait, run it from {start}: {after:.0} instead of {before:.0} g/kWh."),
            format!("지연 가능하다면 {start}부터 실행하세요: {before:.0} 대신 {after:.0} g/kWh."),
        ),
        basis: Text::new(
            format!(
                "{} for the next 24 h is {basis} of {}; the whole work is taken as movable.",
                facility.zone, series.provenance.source
            ),
            format!(
                "향후 24시간 {} 탄소집약도는 {}의 {basis_ko}이며, 작업 전체를 옮길 수 있다고 봅니다.",
                facility.zone, series.provenance.source
            ),
        ),
    })
}
