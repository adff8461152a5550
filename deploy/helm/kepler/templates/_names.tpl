{{/* Names, labels and addresses: those of Go Kepler's chart. */}}

{{- define "kepler.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kepler.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
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
app.kubernetes.io/name: {{ include "kepler.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kepler.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: kepler
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "kepler.labels" -}}
{{ include "kepler.selectorLabels" . }}
{{ include "kepler.commonLabels" . }}
{{- end }}

{{/* Labels of a part beside the node agent; the agent's selector must not find them. */}}
{{- define "kepler.partSelectorLabels" -}}
app.kubernetes.io/name: {{ .part }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "kepler.partLabels" -}}
{{ include "kepler.partSelectorLabels" . }}
{{ include "kepler.commonLabels" .root }}
{{- end }}

{{- define "kepler.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* The names under which a Service is asked: of `name`, `namespace`. */}}
{{- define "kepler.serviceHosts" -}}
- {{ .name }}
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
