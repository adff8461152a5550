// All words of the page, in English and Korean.

const WORDS = {
  skip: ["Skip to the figures", "수치로 건너뛰기"],
  power_now: ["Power now", "현재 전력"],
  today: ["Today", "오늘"],
  over_time: ["Power over time", "시간별 전력"],
  consumers: ["Consumers", "소비 주체"],
  zones: ["Zones", "전력 영역"],
  sources: ["Sources and health", "측정원과 상태"],
  interfaces: ["Interfaces", "인터페이스"],
  keys: ["Keys: / search, p pause, Esc back", "단축키: / 검색, p 일시정지, Esc 뒤로"],
  search: ["Search", "검색"],
  search_hint: ["Name, path, unit, container, PID", "이름, 경로, 유닛, 컨테이너, PID"],
  pause: ["Pause", "일시정지"],
  resume: ["Resume", "계속"],

  token_title: ["A token is needed", "토큰이 필요합니다"],
  token_text: ["This server answers only who sends its token. It is kept in this tab and sent in a header, never in an address.",
    "이 서버는 토큰을 보내는 요청에만 응답합니다. 토큰은 이 탭에만 보관되고 헤더로만 전송되며 주소에는 들어가지 않습니다."],
  token: ["Token", "토큰"],
  token_wrong: ["The server does not accept this token.", "서버가 이 토큰을 받아들이지 않습니다."],
  sign_in: ["Continue", "계속"],
  password_needed: ["A user name and password are needed. Reload the page to enter them.", "사용자 이름과 비밀번호가 필요합니다. 페이지를 새로 고쳐 입력하세요."],

  connecting: ["Connecting", "연결 중"],
  live: ["Live", "실시간"],
  polling: ["Every 5 s", "5초마다"],
  paused: ["Paused", "일시정지됨"],
  stale: ["Stale", "오래된 값"],
  waiting: ["Waiting for the first reading", "첫 측정을 기다리는 중"],
  locked: ["Locked", "잠김"],
  unreachable: ["Unreachable", "연결 끊김"],
  ago: ["{0} ago", "{0} 전"],
  banner_unreachable: ["The server does not answer. The figures below are the last ones it sent; the page keeps trying.",
    "서버가 응답하지 않습니다. 아래는 마지막으로 받은 수치이며, 계속 다시 시도합니다."],
  banner_stale: ["The newest reading is {0} old: measuring has stopped or is late. These are not figures of now.",
    "가장 최근 측정이 {0} 전입니다. 측정이 멈췄거나 늦어지고 있어 현재 값이 아닙니다."],
  banner_waiting: ["No reading has been taken yet. Figures appear after the second one.", "아직 측정값이 없습니다. 두 번째 측정 뒤에 표시됩니다."],
  banner_polling: ["{0}. The page asks every 5 s instead.", "{0}. 대신 5초마다 조회합니다."],

  measured: ["measured", "측정"],
  partial: ["measured in part", "일부 측정"],
  estimated: ["estimated", "추정"],
  made_up: ["made up", "가상 값"],
  replayed: ["replayed from a recording", "기록 재생"],
  published: ["published", "공표"],
  assumed: ["assumed", "가정"],
  by: ["{0} by {1}", "{1} {0}"],
  error: ["±{0} (one sigma)", "±{0} (1σ)"],
  interval: ["90 %: {0} to {1}", "90 %: {0} ~ {1}"],
  busy: ["{0} of {1} processors busy", "프로세서 {1}개 중 {0} 사용"],
  split_text: ["{0} idle, {1} caused by work", "유휴 {0}, 작업 {1}"],
  no_power: ["Power is known from the second reading on.", "전력은 두 번째 측정부터 알 수 있습니다."],
  no_zones: ["No source of energy figures. Sources and health below says why.", "에너지 측정원이 없습니다. 이유는 아래 '측정원과 상태'에 있습니다."],

  energy: ["Energy", "에너지"],
  cost: ["Cost", "비용"],
  carbon: ["Carbon", "탄소"],
  of_facility: ["{0} with PUE", "PUE 포함 {0}"],
  price: ["{0} per kWh, stated", "kWh당 {0} (설정값)"],
  price_by_time: ["by time of use", "시간대별 요금"],
  no_price: ["No price is stated.", "요금이 설정되지 않았습니다."],
  grid: ["Grid", "전력망"],
  region: ["Region", "지역"],
  pue: ["PUE", "PUE"],
  not_known: ["not known", "알 수 없음"],
  covers: ["The figures cover {0} of the day so far, since {1}.", "오늘 지금까지의 {0}에 대한 수치입니다 ({1}부터)."],
  today_none: ["Nothing is known of today yet.", "오늘의 수치가 아직 없습니다."],

  idle: ["Idle", "유휴"],
  workloads: ["Workloads", "워크로드"],
  unattributed: ["Unattributed", "미귀속"],
  total: ["Total", "합계"],
  band: ["90 % interval", "90 % 구간"],
  estimated_hatch: ["Hatched: estimated, not measured.", "빗금: 측정이 아닌 추정."],
  since: ["Known since {0}.", "{0}부터 알 수 있습니다."],
  covered_part: ["{0} of this range is known.", "이 범위의 {0}만 알려져 있습니다."],
  no_history: ["Nothing is known of this time yet. Power appears after the second reading.", "이 시간의 수치가 아직 없습니다. 두 번째 측정 뒤에 표시됩니다."],
  chart_label: ["Power over time, {0} to {1}. Mean now {2}, highest {3}. Arrow keys read single steps.",
    "시간별 전력, {0} ~ {1}. 현재 {2}, 최고 {3}. 화살표 키로 구간을 읽습니다."],
  range: ["Range", "범위"],
  range_15m: ["15 min", "15분"], range_1h: ["1 h", "1시간"], range_6h: ["6 h", "6시간"],
  range_24h: ["24 h", "24시간"], range_7d: ["7 d", "7일"], range_30d: ["30 d", "30일"],

  kind: ["Kind", "종류"],
  kind_process: ["Processes", "프로세스"], kind_container: ["Containers", "컨테이너"], kind_pod: ["Pods", "파드"],
  kind_unit: ["Units", "유닛"], kind_vm: ["VMs", "가상 머신"], kind_job: ["Jobs", "작업"], kind_command: ["Ended commands", "종료된 명령"],
  one_process: ["process", "프로세스"], one_container: ["container", "컨테이너"], one_pod: ["pod", "파드"],
  one_unit: ["systemd unit", "systemd 유닛"], one_vm: ["virtual machine", "가상 머신"], one_job: ["job", "작업"], one_command: ["command", "명령"],
  col_name: ["Name", "이름"], col_trend: ["Trend", "추이"], col_power: ["Power", "전력"], col_share: ["Share", "비중"],
  col_energy: ["Energy", "에너지"], col_carbon: ["CO₂e", "CO₂e"], col_verdict: ["Verdict", "판정"],
  share_title: ["Share of the machine's power, idle power included", "유휴 전력을 포함한 기기 전체 전력 대비 비중"],
  energy_title: ["Active energy since the program started", "프로그램 시작 이후의 활성 에너지"],
  shown: ["{0} of {1}", "{1}개 중 {0}개"],
  more: ["Show more", "더 보기"],
  none_found: ["Nothing matches “{0}”.", "“{0}”에 맞는 항목이 없습니다."],
  none_of_kind: ["None of this kind runs on this node.", "이 노드에는 이 종류가 없습니다."],
  expand: ["Processes of {0}", "{0}의 프로세스"],
  no_children: ["No process of it is listed.", "나열된 프로세스가 없습니다."],
  consumers_caption: ["What runs on this node and how much energy it uses", "이 노드에서 실행 중인 것과 사용하는 에너지"],

  COMPLIANT: ["Compliant", "준수"], NON_COMPLIANT: ["Not compliant", "미준수"],
  NOT_APPLICABLE: ["Not applicable", "해당 없음"], INSUFFICIENT_DATA: ["Not decided", "판단 불가"],

  zone: ["Zone", "영역"], source: ["Source", "측정원"], power: ["Power", "전력"], active: ["Active", "활성"],
  within_package: ["within package", "package에 포함"], contains_all: ["contains the others", "다른 영역을 모두 포함"],
  zones_caption: ["Power zones of this machine; sockets are added", "이 기기의 전력 영역 (소켓 합산)"],
  source_ok: ["delivers", "정상"], source_late: ["silent for {0}", "{0} 동안 응답 없음"],
  faults: ["Could not be read", "읽지 못함"], times: ["{0} times", "{0}회"],
  unused: ["Not used", "사용하지 않음"], remedy: ["What would help: ", "해결 방법: "],
  all_well: ["Nothing failed so far.", "지금까지 실패가 없습니다."],

  back: ["All consumers", "전체 목록"],
  mean_power: ["Mean power", "평균 전력"], in_window: ["of the last {0}", "최근 {0}"],
  emissions: ["Emissions", "배출량"], month: ["A month like this", "이 상태로 한 달"],
  instances: ["{0} running, {1} ended", "실행 중 {0}, 종료 {1}"],
  verdict: ["Verdict", "판정"], rules: ["Rules", "기준"], helps: ["What would help", "개선 방법"],
  nothing_helps: ["Nothing known would lower its emissions.", "배출을 줄일 방법이 알려져 있지 않습니다."],
  up_to: ["up to {0} less", "최대 {0} 감소"], between: ["{0} to {1}", "{0} ~ {1}"],
  effort_low: ["little effort", "쉬움"], effort_medium: ["some effort", "보통"], effort_high: ["much effort", "어려움"],
  rests_on: ["What this rests on", "근거"], caveats: ["Caveats", "유의 사항"], limit: ["limit {0}", "기준 {0}"],
  value: ["Value", "값"], not_found: ["This workload is not known", "알 수 없는 워크로드"],
  copy: ["Copy address", "주소 복사"], copied: ["Copied", "복사됨"], save_as: ["Save as {0}", "{0}로 저장"],
  failed: ["No answer: {0}", "응답 없음: {0}"],
};

let chosen = "en";

export const lang = () => chosen;

export function word(key, ...values) {
  const text = WORDS[key]?.[chosen === "ko" ? 1 : 0] ?? key;
  return text.replace(/\{(\d)\}/g, (_, at) => values[at]);
}

/** Chooses the language: the given one, else the browser's. */
export function setLang(given) {
  chosen = given || ((navigator.language ?? "").startsWith("ko") ? "ko" : "en");
  document.documentElement.lang = chosen;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
}
