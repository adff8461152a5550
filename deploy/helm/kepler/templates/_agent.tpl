{{/* The container's security context: what is set, else the profile's. */}}
{{- define "kepler.securityContext" -}}
{{- if .Values.daemonset.securityContext -}}
{{- toYaml .Values.daemonset.securityContext -}}
{{- else if eq .Values.profile "privileged" -}}
privileged: true
readOnlyRootFilesystem: true
runAsUser: 0
{{- else if eq .Values.profile "restricted" -}}
{{- include "kepler.unprivileged" . -}}
{{- else -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
# Capabilities reach a process of root only.
runAsUser: 0
capabilities:
  drop: [ALL]
  add: [DAC_READ_SEARCH, SYS_PTRACE, BPF, PERFMON]
seccompProfile:
  type: RuntimeDefault
{{- if eq (include "kepler.unconfined" .) "field" }}
# The default profile of containers, as on Ubuntu, denies CAP_SYS_PTRACE all processes outside its container.
appArmorProfile:
  type: Unconfined
{{- end }}
{{- end -}}
{{- end }}

{{/* How the agent's container is told to have no AppArmor profile: by a `field`, before Kubernetes 1.30 an `annotation`; empty where
nothing is told. */}}
{{- define "kepler.unconfined" -}}
{{- if and (eq .Values.profile "default") (not .Values.daemonset.securityContext) -}}
{{- ternary "field" "annotation" (semverCompare ">=1.30.0-0" (.Values.kubeVersion | default .Capabilities.KubeVersion.Version)) -}}
{{- end -}}
{{- end }}

{{/* Of a container that needs nothing. */}}
{{- define "kepler.unprivileged" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "kepler.hostPID" -}}
{{- if kindIs "bool" .Values.daemonset.hostPID -}}
{{- .Values.daemonset.hostPID -}}
{{- else -}}
{{- and (ne .Values.profile "restricted") .Values.daemonset.hostMounts -}}
{{- end -}}
{{- end }}

{{/* A probe, at the port and by the scheme that there is. */}}
{{- define "kepler.probe" -}}
{{- $probe := deepCopy .probe -}}
{{- if and .root.Values.tls.enabled $probe.httpGet -}}
{{- if .root.Values.tls.clientCAKey -}}
{{- $_ := unset $probe "httpGet" -}}
{{- $_ := set $probe "tcpSocket" (dict "port" "https") -}}
{{- else -}}
{{- $_ := set $probe.httpGet "scheme" "HTTPS" -}}
{{- if eq (toString $probe.httpGet.port) "http" -}}{{- $_ := set $probe.httpGet "port" "https" -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end }}

{{- define "kepler.nodeSelector" -}}
{{- $asked := (include "kepler.powerMonitor" . | fromYaml).deployment | default dict -}}
{{- with $asked.nodeSelector | default .Values.daemonset.nodeSelector -}}
{{- include "kepler.texts" . -}}
{{- end -}}
{{- end }}

{{- define "kepler.tolerations" -}}
{{- $asked := (include "kepler.powerMonitor" . | fromYaml).deployment | default dict -}}
{{- with $asked.tolerations | default .Values.daemonset.tolerations -}}
{{- include "kepler.withTextValues" . -}}
{{- end -}}
{{- end }}
