{{/* Names, labels and addresses: those of Go Kepler's chart. */}}

{{- define "kepler.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A release may have dots in its name, and a Service may not. */}}
{{- define "kepler.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $own := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $own | replace "." "-" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A name with something behind it, in 63 characters: of `name`, `end`. */}}
{{- define "kepler.nameWith" -}}
{{- printf "%s-%s" (.name | trunc (int (sub 62 (len .end))) | trimSuffix "-") .end }}
{{- end }}

{{- define "kepler.namespace" -}}
{{- if .Values.namespace.create }}
{{- default (include "kepler.name" .) .Values.namespace.name }}
{{- else }}
{{- .Release.Namespace }}
{{- end }}
{{- end }}

{{- define "kepler.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "kepler.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "kepler.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kepler.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "kepler.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: kepler
{{- with .Values.labels }}
{{ include "kepler.texts" . }}
{{- end }}
{{- end }}

{{- define "kepler.labels" -}}
{{ include "kepler.selectorLabels" . }}
{{ include "kepler.commonLabels" . }}
{{- end }}

{{/* Labels of a part beside the node agent; the agent's selector must not find them. */}}
{{- define "kepler.partSelectorLabels" -}}
app.kubernetes.io/name: {{ .part | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end }}

{{- define "kepler.partLabels" -}}
{{ include "kepler.partSelectorLabels" . }}
{{ include "kepler.commonLabels" .root }}
{{- end }}

{{/* Go Kepler's image without a tag is what its chart has by default, so that nothing was chosen by it. */}}
{{- define "kepler.image" -}}
{{- $repository := .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- if include "kepler.hasGoDefaultImage" . }}{{ $repository = (include "kepler.ownValues" . | fromYaml).image.repository }}{{ end }}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "kepler.hasGoDefaultImage" -}}
{{- if and (eq .Values.image.repository "quay.io/sustainable_computing_io/kepler") (not .Values.image.tag) (not .Values.image.digest) }}true{{ end -}}
{{- end }}

{{/* The names under which a Service is asked: of `name`, `namespace`. */}}
{{- define "kepler.serviceHosts" -}}
- {{ .name | quote }}
- {{ .name }}.{{ .namespace }}
- {{ .name }}.{{ .namespace }}.svc
- {{ .name }}.{{ .namespace }}.svc.cluster.local
{{- end }}

{{- define "kepler.scheme" -}}
{{- ternary "https" "http" .Values.tls.enabled }}
{{- end }}

{{/* The port without TLS beside the one with it; empty where there is none. */}}
{{- define "kepler.plainPort" -}}
{{- if and .Values.tls.enabled .Values.tls.plain.enabled }}{{ .Values.tls.plain.port }}{{ end -}}
{{- end }}

{{/* By which schemes the agents are asked. */}}
{{- define "kepler.schemes" -}}
- {{ include "kepler.scheme" . }}
{{- if include "kepler.plainPort" . }}
- http
{{- end }}
{{- end }}

{{/* Whether the agents answer only who shows a token: asked for by the values, or by a PowerMonitor's `security.mode: rbac`. */}}
{{- define "kepler.asksForTokens" -}}
{{- $security := ((include "kepler.powerMonitor" . | fromYaml).deployment | default dict).security | default dict -}}
{{- if or .Values.kubernetesAuth.enabled (and (eq ($security.mode | default "none") "rbac") .Values.tls.enabled) }}true{{ end -}}
{{- end }}

{{/* Whom tokens for the agents are for. */}}
{{- define "kepler.audience" -}}
{{- .Values.kubernetesAuth.audience | default (printf "%s.%s.svc" (include "kepler.fullname" .) (include "kepler.namespace" .)) }}
{{- end }}
