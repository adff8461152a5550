//! Why a tool has no answer.

use super::particle::subject;
use super::planning::{job, plan};
use super::render;
use crate::messages::Message;
use crate::tools::{ArgumentRemedy, CallError, ToolError};
use crate::view::{ViewError, WorkloadKind};

/// What a kind of workload is called.
const fn kind_name(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Process => "프로세스",
        WorkloadKind::Container => "컨테이너",
        WorkloadKind::Pod => "파드",
        WorkloadKind::Vm => "가상 머신",
        _ => kind.name(),
    }
}

pub(in crate::messages) fn call(error: &CallError) -> String {
    match error {
        CallError::UnknownTool { name, valid } => {
            format!("`{name}` 도구가 없습니다. 있는 도구: {}.", valid.join(", "))
        }
        CallError::Arguments { tool, reason, takes } => {
            format!("{tool}의 인수가 맞지 않습니다: {reason}. 받는 인수: {}.", takes.join(", "))
        }
        CallError::Tool(error) => tool(error),
        CallError::Answer { tool, source } => format!("{tool}의 답을 JSON으로 쓸 수 없습니다: {source}"),
    }
}

pub(in crate::messages) fn tool(error: &ToolError) -> String {
    match error {
        ToolError::UnknownWorkload { name, kind, range: _, elsewhere, nearest } => {
            let kind = kind.map_or("워크로드", kind_name);
            let mut text =
                format!("해당 기간에 에너지를 쓰거나 실행된 {kind} {} 없습니다.", subject(format_args!("`{name}`")));
            if !elsewhere.is_empty() {
                text += &format!(" 다음 네임스페이스에는 있습니다: {}.", elsewhere.join(", "));
            }
            text + &match nearest.is_empty() {
                true => " 워크로드가 하나도 없습니다.".to_owned(),
                false => format!(" 비슷한 이름: {}.", nearest.join(", ")),
            }
        }
        ToolError::UnknownStandard(error) => {
            format!("`{}` 기준이 없습니다. 있는 기준: {}.", error.code, error.valid.join(", "))
        }
        ToolError::UnknownRegion(error) => {
            let near = match error.nearest.is_empty() {
                true => String::new(),
                false => format!(" 비슷한 이름: {}.", error.nearest.join(", ")),
            };
            format!(
                "`{}` 리전이 없습니다.{near} 클라우드 리전, ISO 3166 코드, 국가, 전력망 구역, 도시를 쓸 수 있습니다.",
                error.name
            )
        }
        ToolError::InvalidArgument { argument, given, remedy: what } => {
            format!("{argument} = `{given}`: {}", remedy(what))
        }
        ToolError::View(error) => view(error),
        ToolError::Intensity(error) => render(&Message::from(error)),
        ToolError::Job(error) => job(error),
        ToolError::Schedule(error) => plan(error),
    }
}

fn view(error: &ViewError) -> String {
    match error {
        ViewError::Unavailable { origin, reason } => format!("{} 답할 수 없습니다: {reason}", subject(origin)),
        ViewError::Invalid { range, step } => format!(
            "{:.0}부터 {:.0}까지를 {}초 단위로 답할 수 없습니다. 끝은 시작보다 늦고 단위는 0보다 커야 합니다.",
            range.start,
            range.end,
            step.as_secs_f64()
        ),
        other => render(&Message::from(other)),
    }
}

fn remedy(remedy: &ArgumentRemedy) -> String {
    match remedy {
        ArgumentRemedy::Between { from, to } => format!("{from}부터 {to}까지의 수를 지정하세요."),
        ArgumentRemedy::Page { most } => format!("1부터 {most}까지 지정하고, 더 보려면 offset을 쓰세요."),
        ArgumentRemedy::LongerStep { most } => format!("단위를 기간의 {most}분의 1 이상으로 지정하세요."),
        ArgumentRemedy::NoNamespace => "네임스페이스에 속한 워크로드가 없습니다. 이 인수를 빼세요.".to_owned(),
        ArgumentRemedy::Namespaces { nearest, others: 0 } => {
            format!("워크로드가 있는 네임스페이스: {}.", nearest.join(", "))
        }
        ArgumentRemedy::Namespaces { nearest, others } => {
            format!("워크로드가 있는 비슷한 네임스페이스: {}. 그 외 {others}개가 있습니다.", nearest.join(", "))
        }
        ArgumentRemedy::Nodes { nearest, others: 0 } => format!("값이 있는 노드: {}.", nearest.join(", ")),
        ArgumentRemedy::Nodes { nearest, others } => {
            format!("값이 있는 비슷한 노드: {}. 그 외 {others}개가 있습니다.", nearest.join(", "))
        }
        ArgumentRemedy::NoControllers => {
            "이 출처는 어떤 파드가 무엇에 속하는지 모릅니다. 파드를 조회하세요.".to_owned()
        }
        ArgumentRemedy::Time => {
            "지금부터의 길이(24h), 시각(2026-11-22T08:00:00Z) 또는 현지 시각(2026-11-22T17:00)으로 쓰세요.".to_owned()
        }
    }
}
