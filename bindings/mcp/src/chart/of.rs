//! What of an answer is drawn, in the caller's language.

use super::{Bar, Data, Plot, Step};
use jiff::Timestamp;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{EnergyRequest, PowerNowRequest, ScheduleRequest, ToolRequest, TrendRequest};
use serde_json::Value;

/// Shares of the time that are worth a note are below this.
const FULL_COVERAGE: f64 = 0.95;

/// The plot of a tool's answer; none where it has no figures.
pub(super) fn plot(tool: &str, answer: &Value, lang: Lang) -> Option<Plot> {
    let words = Words(lang);
    let basis = text(answer, "basis").unwrap_or_default();
    let has_groups = answer.get("groups").and_then(Value::as_array).is_some_and(|groups| !groups.is_empty());
    let (title, unit, data) = match tool {
        PowerNowRequest::NAME => {
            let bars = bars(answer.get("consumers")?, basis, |one| {
                (named(one, "workload", lang), number(one, "power_watts"))
            })?;
            (words.say("Power now", "현재 전력"), words.power(), bars)
        }
        EnergyRequest::NAME if has_groups => {
            let data =
                bars(answer.get("groups")?, basis, |one| (named(one, "name", lang), number(one, "energy_joules")))?;
            let (data, unit) = scaled(data);
            (words.of(text(answer, "subject")?, "Energy", "에너지"), words.energy(unit), data)
        }
        EnergyRequest::NAME => {
            let title = words.of(text(answer, "subject")?, "Power", "전력");
            let steps = steps(answer, |step| (number(step, "power_watts"), number(step, "idle_watts")))?;
            (title, words.power(), over_time(steps, words)?)
        }
        TrendRequest::NAME => {
            let whose = text(answer, "workload").unwrap_or("cluster");
            let watts = |step: &Value| step.get("power_watts").and_then(|watts| number(watts, "total"));
            let steps = steps(answer, |step| (watts(step), None))?;
            (words.of(whose, "Power", "전력"), words.power(), over_time(steps, words)?)
        }
        ScheduleRequest::NAME => {
            let start = |one: &Value| text(one, "local_start").unwrap_or_default().replace('T', " ");
            let intensity = |one: &Value| (start(one), number(one, "mean_intensity_gCO2eq_kWh"));
            let title = words.of(text(answer, "region")?, "Best times to run", "실행하기 좋은 시간");
            (
                title,
                words.say("Mean grid intensity (gCO2e/kWh)", "평균 탄소 집약도 (gCO2e/kWh)"),
                bars(answer.get("ranking")?, basis, intensity)?,
            )
        }
        _ => return None,
    };
    let notes = words.notes(answer, basis).into_iter();
    let notes = notes.chain(if has_groups { period(answer) } else { None }).collect();
    Some(Plot { title, notes, unit, is_estimated: is_estimate(basis), data })
}

/// What is drawn hatched.
fn is_estimate(basis: &str) -> bool {
    matches!(basis, "estimated" | "partial" | "assumed" | "yearly_average")
}

/// The time of an answer, where no axis shows it.
fn period(answer: &Value) -> Option<String> {
    let at = |name: &str| {
        let time = text(answer, name)?.parse::<Timestamp>().ok()?;
        Some(time.strftime("%Y-%m-%d %H:%M").to_string())
    };
    Some(format!("{} – {} UTC", at("start")?, at("end")?))
}

pub(super) fn nothing_to_draw(lang: Lang) -> String {
    Words(lang).say("There are no figures to draw.", "그릴 수치가 없습니다.")
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn number(value: &Value, name: &str) -> Option<f64> {
    value.get(name)?.as_f64().filter(|number| number.is_finite())
}

fn second(value: &Value, name: &str) -> Option<i64> {
    Some(text(value, name)?.parse::<Timestamp>().ok()?.as_second())
}

/// `pod shop/web`, as other answers write it.
fn named(one: &Value, name: &str, lang: Lang) -> String {
    let unnamed = || Words(lang).say("(in no namespace)", "(네임스페이스 없음)");
    let name = text(one, name).map_or_else(unnamed, str::to_owned);
    let parts = [text(one, "kind").map(|kind| format!("{kind} ")), text(one, "namespace").map(|own| format!("{own}/"))];
    // A group by kind is called as its kind.
    if text(one, "kind") == Some(&name) { name } else { parts.into_iter().flatten().chain([name]).collect() }
}

fn bars(list: &Value, basis: &str, of: impl Fn(&Value) -> (String, Option<f64>)) -> Option<Data> {
    let bar = |one: &Value| {
        let (name, value) = of(one);
        let is_estimated = is_estimate(text(one, "basis").unwrap_or(basis));
        Some(Bar { name, value: value?, is_estimated })
    };
    let bars: Vec<Bar> = list.as_array()?.iter().filter_map(bar).collect();
    (!bars.is_empty()).then_some(Data::Bars(bars))
}

/// Energy in a unit whose figures are short.
fn scaled(data: Data) -> (Data, &'static str) {
    let Data::Bars(mut bars) = data else { return (data, "J") };
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let units = [("kWh", 3.6e6, 3.6e6), ("kJ", 1e3, 1e4), ("J", 1.0, 0.0)];
    let (unit, joules, _) = units.into_iter().find(|(_, _, from)| most >= *from).unwrap_or(("J", 1.0, 0.0));
    bars.iter_mut().for_each(|bar| bar.value /= joules);
    (Data::Bars(bars), unit)
}

fn steps(answer: &Value, of: impl Fn(&Value) -> (Option<f64>, Option<f64>)) -> Option<Vec<Step>> {
    let step = |step: &Value| {
        let (value, part) = of(step);
        Some(Step { start: second(step, "start")?, end: second(step, "end")?, value: value?, part })
    };
    let steps: Vec<Step> = answer.get("series")?.as_array()?.iter().filter_map(step).collect();
    (!steps.is_empty()).then_some(steps)
}

fn over_time(steps: Vec<Step>, words: Words) -> Option<Data> {
    let day = |at: i64| Some(Timestamp::from_second(at).ok()?.strftime("%Y-%m-%d").to_string());
    let (first, last) = (day(steps.first()?.start)?, day(steps.last()?.end)?);
    let days = if first == last { first } else { format!("{first} – {last}") };
    let time = format!("{}, {days}", words.say("Time (UTC)", "시각 (UTC)"));
    let has_parts = steps.iter().all(|step| step.part.is_some());
    let parts = has_parts.then(|| [words.say("by work", "작업"), words.say("idle", "유휴")]);
    Some(Data::Steps { time, parts, steps })
}

/// Words in a language.
#[derive(Clone, Copy)]
struct Words(Lang);

impl Words {
    fn say(self, english: &str, korean: &str) -> String {
        match self.0 {
            Lang::Ko => korean.to_owned(),
            _ => english.to_owned(),
        }
    }

    fn of(self, whose: &str, english: &str, korean: &str) -> String {
        match self.0 {
            Lang::Ko => format!("{whose}: {korean}"),
            _ => format!("{english}: {whose}"),
        }
    }

    fn power(self) -> String {
        self.say("Power (W)", "전력 (W)")
    }

    fn energy(self, unit: &str) -> String {
        format!("{} ({unit})", self.say("Energy", "에너지"))
    }

    /// How the figures came about, and how much of the time they cover.
    fn notes(self, answer: &Value, basis: &str) -> Vec<String> {
        let how = match basis {
            "measured" => self.say("Measured", "측정값"),
            "partial" => self.say("Measured in part, the rest estimated", "일부 측정, 나머지는 추정"),
            "estimated" => self.say("Estimated", "추정치"),
            "assumed" => self.say("Assumed", "가정값"),
            "yearly_average" => self.say("Yearly averages: hours do not differ", "연평균: 시간대별 차이 없음"),
            "observed" => self.say("Observed", "관측값"),
            "forecast" => self.say("Forecast", "예측값"),
            "profile" => self.say("By a typical day", "하루 평균 패턴 기준"),
            other => other.replace('_', " "),
        };
        let error = number(answer, "error_ratio").map(|error| format!("± {:.0} %", error * 100.0));
        let how = [how].into_iter().chain(error).collect::<Vec<_>>().join(", ");
        let coverage = number(answer, "coverage").filter(|coverage| *coverage < FULL_COVERAGE);
        let coverage = coverage.map(|coverage| {
            let percent = (coverage * 100.0).round();
            self.say(&format!("covers {percent} % of the time"), &format!("기간의 {percent} %만 포함"))
        });
        [how].into_iter().filter(|how| !how.is_empty()).chain(coverage).collect()
    }
}

#[cfg(test)]
mod tests;
