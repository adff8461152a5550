{{/* Puts the chart's own value where `.Values` has none: a section whose lines are all commented out, a value that is null, and the
values of Go Kepler's chart that `helm upgrade --reuse-values` leaves in place of these. Helm shows templates no `values.yaml`: they
read a copy of it. A list or a map that Kubernetes takes as it is (`$free`) may be taken away by null, and stays so; `config` is the
program's, which has a default for each setting. */}}
{{- define "kepler.fill" -}}
{{- include "kepler.fillFrom" (dict "own" (omit (include "kepler.ownValues" . | fromYaml) "config") "given" .Values) -}}
{{- end }}

{{- define "kepler.ownValues" -}}
{{- .Files.Get "files/values.yaml" -}}
{{- end }}

{{- define "kepler.fillFrom" -}}
{{- $free := list "affinity" "labels" "livenessProbe" "nodeSelector" "readinessProbe" "resources" "startupProbe" "updateStrategy" "volume" -}}
{{- $given := .given -}}
{{- range $key, $own := .own -}}
{{- $there := get $given $key -}}
{{- if not (or (kindIs "slice" $own) (has $key $free)) -}}
{{- if and (kindIs "map" $own) (kindIs "map" $there) -}}
{{- include "kepler.fillFrom" (dict "own" $own "given" $there) -}}
{{- else if or (not (hasKey $given $key)) (kindIs "invalid" $there) -}}
{{- $_ := set $given $key $own -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A value as text: numbers and booleans of YAML, where Kubernetes takes texts only. */}}
{{- define "kepler.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else if not (kindIs "invalid" .) }}{{ toString . }}{{ end -}}
{{- end }}

{{/* Labels, annotations or a selector: a map of texts. */}}
{{- define "kepler.texts" -}}
{{- $texts := dict -}}
{{- range $key, $value := . -}}{{- $_ := set $texts $key (include "kepler.text" $value) -}}{{- end -}}
{{- toYaml $texts -}}
{{- end }}

{{/* Variables or tolerations: a list whose `value` is text. */}}
{{- define "kepler.withTextValues" -}}
{{- $items := list -}}
{{- range . -}}
{{- $item := . -}}
{{- if and (kindIs "map" .) (hasKey . "value") -}}{{- $item = merge (dict "value" (include "kepler.text" .value)) . -}}{{- end -}}
{{- $items = append $items $item -}}
{{- end -}}
{{- toYaml $items -}}
{{- end }}

{{/* An object's metadata: of `root`, `name`, and where there are any `namespace`, `part` (beside the agent), `labels`, `annotations`. */}}
{{- define "kepler.metadata" -}}
name: {{ .name | quote }}
{{- with .namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- $own := ternary (include "kepler.partLabels" .) (include "kepler.labels" .root) (hasKey . "part") | fromYaml }}
  {{- include "kepler.texts" (merge (dict) (.labels | default dict) $own) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.annotations | default dict) }}
annotations:
  {{- include "kepler.texts" . | nindent 2 }}
{{- end }}
{{- end }}
