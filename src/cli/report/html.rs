//! The report as one page that needs nothing else: no script, no request, and a policy that forbids both.

use super::chart;
use super::escape::escape;
use super::markdown::{facts, heads, period, table};
use super::words::{Word, word};
use kepler_compliance::text::Lang;
use kepler_compliance::tools::Report;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1b;--soft:#666;--line:#d8d8d8;--paper:#fff;--work:#0072b2;--rest:#e69f00;--idle:#999}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--soft:#a5a5a5;--line:#3a3a3a;--paper:#161616;--work:#56b4e9;--idle:#777}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:900px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}.period{color:var(--soft);margin:0}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{text-align:start;padding:.25rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}\
.facts td,.who td:first-child,.who td:nth-child(3){overflow-wrap:anywhere}.who{font-size:.85em}.who th{word-break:keep-all}.who td:last-child{white-space:nowrap}.who td:first-child{min-width:9rem}\
thead th{border-bottom:2px solid var(--line)}.facts th{font-weight:500;color:var(--soft);width:14rem}\
.who td:nth-child(n+4):nth-child(-n+8){text-align:end;white-space:nowrap}.who th:nth-child(n+4):nth-child(-n+8){text-align:end}.scroll{overflow-x:auto}\
svg{width:100%;height:auto;font:11px system-ui,sans-serif;fill:var(--ink)}.grid{stroke:var(--line)}.end{text-anchor:end}\
.work{fill:var(--work)}.rest{fill:var(--rest)}.idle{fill:var(--idle)}\
.legend{display:flex;gap:1rem;margin:.25rem 0;color:var(--soft)}.legend svg{width:10px;margin-inline-end:.4rem}\
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--work:#0072b2;--idle:#999}\
body{max-width:none;margin:0;font-size:10pt}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}\
.who{font-size:7.5pt}.who th,.who td{padding:.2rem .3rem}.who td:nth-child(3){min-width:6rem}thead{display:table-header-group}tr,svg,h2{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible}}\
@page{size:A4;margin:15mm}";

pub(super) fn page(report: &Report, lang: Lang) -> String {
    let (title, period) = (word(Word::Title, lang), period(report));
    let code = if lang == Lang::Ko { "ko" } else { "en" };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}, {0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p class=\"period\">{0}</p>\n",
        escape(&period)
    );
    let heading = |of: Word| format!("<h2>{}</h2>\n", word(of, lang));
    page += &heading(Word::Summary);
    let rows: String = facts(report, lang)
        .iter()
        .map(|(name, value)| format!("<tr><th scope=\"row\">{name}</th><td>{}</td></tr>\n", escape(value)))
        .collect();
    page += &format!("<table class=\"facts\"><tbody>\n{rows}</tbody></table>\n");
    for (name, chart) in [(Word::Course, chart::course(report, lang)), (Word::Largest, chart::largest(report, lang))] {
        if !chart.is_empty() {
            page += &heading(name);
            page += &format!("{chart}\n");
        }
    }
    page += &heading(Word::Who);
    let heads: String = heads(lang).iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let rows: String = table(report, lang)
        .iter()
        .map(|row| {
            let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    page += &format!(
        "<div class=\"scroll\"><table class=\"who\"><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    );
    if !report.caveats.is_empty() {
        page += &heading(Word::Notes);
        let notes: String = report.caveats.iter().map(|caveat| format!("<li>{}</li>\n", escape(caveat))).collect();
        page += &format!("<ul>\n{notes}</ul>\n");
    }
    page + "</main>\n</body>\n</html>\n"
}
