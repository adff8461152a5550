//! What weakens the figures, in sentences.

use super::super::accelerators::AcceleratorFigures;
use super::{Report, Run, State};
use kepler_compliance::numbers::figure;
use kepler_compliance::text::Text;

/// Counters that stand still for a larger share of the duration are worth a note.
const COARSE: f64 = 0.05;

pub(super) fn of(report: &Report) -> Vec<Text> {
    let mut notes = Vec::new();
    let refresh = figure(report.counters_refresh_seconds * 1000.0);
    if report.any(State::Unresolved) {
        notes.push(Text::new(
            format!(
                "Not resolvable: it was over before the energy counters moved (they do so every {refresh} ms). Its energy \
                 is unknown, not zero. Measure something longer, such as a loop of 100: sh -c 'for i in $(seq 100); do …; done'."
            ),
            format!(
                "분해능 미만: 에너지 카운터가 갱신되기 전에 끝났습니다(갱신 주기 {refresh} ms). 에너지는 0이 아니라 알 수 없음입니다. \
                 100회 반복처럼 더 긴 작업을 측정하십시오: sh -c 'for i in $(seq 100); do …; done'."
            ),
        ));
    }
    let coarsest = report.runs().filter(|run| run.state < State::Unresolved).map(|run| run.resolution_ratio);
    let coarsest = coarsest.fold(0.0, f64::max);
    if coarsest > COARSE {
        let percent = figure(coarsest * 100.0);
        notes.push(Text::new(
            format!(
                "The counters move every {refresh} ms only: the energy of the shortest run may be off by {percent} %."
            ),
            format!(
                "카운터가 {refresh} ms마다 갱신되므로 가장 짧은 실행의 에너지는 {percent} %까지 어긋날 수 있습니다."
            ),
        ));
    }
    if report.any(State::Unknown) {
        notes.push(Text::new(
            "No meter here gives the machine's energy; `kepler doctor` says why.",
            "이 호스트에는 전체 에너지를 재는 수단이 없습니다. 이유는 `kepler doctor`에서 볼 수 있습니다.",
        ));
    }
    if report.runs().any(|run| run.state == State::Uncertain && run.has_lost_readings) {
        notes.push(Text::new(
            "A counter was reset or could not be read in time: more or less may have been drawn.",
            "카운터가 초기화되었거나 제때 읽히지 않아 실제 에너지와 다를 수 있습니다.",
        ));
    }
    if report.runs().any(|run| run.accelerators.iter().any(|device| device.energies().1.is_none())) {
        notes.push(Text::new(
            "Accelerators are read once a second: of a shorter run their energy is not known, and not in the sum.",
            "가속기는 1초마다 읽습니다. 그보다 짧은 실행에서는 가속기의 에너지를 알 수 없어 합계에 포함하지 않습니다.",
        ));
    } else if report.runs().any(|run| run.accelerators.iter().any(AcceleratorFigures::is_uncertain)) {
        notes.push(Text::new(
            "Accelerators are read once a second: their energy in a run of less than ten may be off by a tenth and more. Or one could not be read.",
            "가속기는 1초마다 읽으므로 10초 미만의 실행에서는 에너지가 10 % 이상 어긋날 수 있습니다. 또는 읽을 수 없는 가속기가 있었습니다.",
        ));
    }
    if report.baseline.is_some() {
        notes.extend(below_baseline(report));
    }
    let left: usize = report.runs().map(|run| run.left_running).sum();
    if left > 0 {
        notes.push(Text::new(
            format!(
                "Processes that it started and that still ran at its end: {left}. Their energy until then is counted."
            ),
            format!("명령이 끝난 뒤에도 프로세스 {left}개가 실행 중이었습니다. 그 시점까지의 에너지만 포함합니다."),
        ));
    }
    notes.extend(outliers(report));
    if report.comparison.is_some() && report.runs().any(|run| run.error_ratio.is_some()) {
        notes.push(Text::new(
            "Both are estimated by the same model: the test speaks of the scatter between runs, not of the model's error.",
            "두 명령 모두 같은 모델로 추정했습니다. 검정은 실행 간 편차에 대한 것이며 모델 오차는 포함하지 않습니다.",
        ));
    }
    notes
}

fn below_baseline(report: &Report) -> Option<Text> {
    let is_lost = |run: &Run| run.state < State::Unresolved && run.above_baseline_joules.is_none();
    report.runs().any(is_lost).then(|| {
        Text::new(
            "The machine, or an accelerator in use, was not busier than at the baseline (other load ended, or left no room), or an accelerator was not read in it. What lies above it is unknown for some runs; measure on a calmer machine, with a baseline of ten seconds.",
            "호스트나 사용 중인 가속기가 기준 측정 때보다 바쁘지 않거나(다른 부하가 끝났거나 여유가 없음) 기준 측정 중에 가속기를 읽지 못해 일부 실행에서 기준 초과분을 알 수 없습니다. 더 한가한 상태에서 기준 시간을 10초로 두고 측정하십시오.",
        )
    })
}

fn outliers(report: &Report) -> Option<Text> {
    let of = |summary: Option<&super::Summary>| summary.map_or(0, |summary| summary.outliers);
    let number: usize = report
        .measurements
        .iter()
        .map(|own| of(own.summary.energy_joules.as_ref()).max(of(own.summary.duration_seconds.as_ref())))
        .sum();
    (number > 0).then(|| {
        Text::new(
            format!("Outliers: {number}. Some runs are far from the others: something else ran, or caches were cold. Try --warmup=3 on a calm machine."),
            format!("{number}회 실행이 다른 실행과 크게 다릅니다. 다른 부하가 있었거나 캐시가 비어 있었습니다. 한가한 상태에서 --warmup=3으로 다시 측정하십시오."),
        )
    })
}
