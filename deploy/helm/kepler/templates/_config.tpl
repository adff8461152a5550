{{/* The PowerMonitor's `spec.kepler`, of a whole resource or its spec. */}}
{{- define "kepler.powerMonitor" -}}
{{- $given := .Values.powerMonitor | default dict -}}
{{- $spec := $given.spec | default $given -}}
{{- $spec.kepler | default dict | toYaml -}}
{{- end }}

{{/* The configuration file: `config`, then what the PowerMonitor says, then what follows from other values. */}}
{{- define "kepler.config" -}}
{{- $config := deepCopy (.Values.config | default dict) -}}
{{- $asked := (include "kepler.powerMonitor" . | fromYaml).config | default dict -}}
{{- range $from, $to := dict "logLevel" "log.level" "metricLevels" "exporter.prometheus.metricsLevel" "sampleRate" "monitor.interval" "staleness" "monitor.staleness" "maxTerminated" "monitor.maxTerminated" -}}
{{- if hasKey $asked $from -}}
{{- $section := $config -}}
{{- $path := splitList "." $to -}}
{{- range initial $path -}}
{{- if not (kindIs "map" (get $section .)) -}}{{- $_ := set $section . dict -}}{{- end -}}
{{- $section = get $section . -}}
{{- end -}}
{{- $_ := set $section (last $path) (get $asked $from) -}}
{{- end -}}
{{- end -}}
{{- $web := $config.web | default dict -}}
{{- $hosts := include "kepler.serviceHosts" (dict "name" (include "kepler.fullname" .) "namespace" (include "kepler.namespace" .)) | fromYamlArray -}}
{{- if .Values.nodePort.enabled -}}
{{- range include "kepler.schemes" . | fromYamlArray -}}
{{- $name := include "kepler.nameWith" (dict "name" (include "kepler.fullname" $) "end" .) -}}
{{- $hosts = concat $hosts (include "kepler.serviceHosts" (dict "name" $name "namespace" (include "kepler.namespace" $)) | fromYamlArray) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $web "allowedHosts" (concat ($web.allowedHosts | default list) $hosts | uniq) -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $web "configFile" "/etc/kepler/web-config.yaml" -}}
{{- end -}}
{{- with include "kepler.plainPort" . -}}
{{- $_ := set $web "plainListenAddresses" (list (printf ":%s" .)) -}}
{{- end -}}
{{- if include "kepler.asksForTokens" . -}}
{{- $_ := set $web "kubernetesAudience" (include "kepler.audience" .) -}}
{{- end -}}
{{- if not $web.listenAddresses -}}
{{- $_ := set $web "listenAddresses" (list ":28282") -}}
{{- end -}}
{{- $_ := set $config "web" $web -}}
{{- if .Values.daemonset.hostMounts -}}
{{- $_ := set $config "host" (merge (dict) ($config.host | default dict) (dict "sysfs" "/host/sys" "procfs" "/host/proc")) -}}
{{- else -}}
{{- $_ := set $config "host" (merge (dict "sysfs" "/sys" "procfs" "/proc") ($config.host | default dict)) -}}
{{- end -}}
{{- if .Values.redfish.secretName -}}
{{- $redfish := dict "experimental" (dict "platform" (dict "redfish" (dict "enabled" true "configFile" "/etc/kepler/redfish.yaml"))) -}}
{{- $config = mergeOverwrite $config $redfish -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{- define "kepler.webConfig" -}}
{{- $server := dict "cert_file" "/etc/kepler-tls/tls.crt" "key_file" "/etc/kepler-tls/tls.key" -}}
{{- with .Values.tls.clientCAKey -}}
{{- $_ := set $server "client_ca_file" (printf "/etc/kepler-tls/%s" .) -}}
{{- $_ := set $server "client_auth_type" "RequireAndVerifyClientCert" -}}
{{- end -}}
{{- with ((include "kepler.powerMonitor" . | fromYaml).deployment | default dict).security -}}
{{- with .allowedSANames -}}
{{- $_ := set $server "client_allowed_sans" . -}}
{{- end -}}
{{- end -}}
{{- mergeOverwrite (dict "tls_server_config" $server) (deepCopy (.Values.tls.webConfig | default dict)) | toYaml -}}
{{- end }}

{{/* The port that the first address of the configuration names. */}}
{{- define "kepler.port" -}}
{{- $web := (.Values.config | default dict).web | default dict -}}
{{- regexFind "[0-9]+$" (first ($web.listenAddresses | default (list ":28282")) | toString) | default "28282" -}}
{{- end }}

{{/* All ports of the agent, as a list. */}}
{{- define "kepler.agentPorts" -}}
- {{ include "kepler.port" . }}
{{- with include "kepler.plainPort" . }}
- {{ . }}
{{- end }}
{{- end }}

{{/* Whether the policy's ingress is the chart's own: then it is for the ports that the agent has. */}}
{{- define "kepler.hasOwnIngress" -}}
{{- if eq (toJson .Values.networkPolicy.ingress) (toJson (include "kepler.ownValues" . | fromYaml).networkPolicy.ingress) }}true{{ end -}}
{{- end }}

{{/* Whether a rule of a policy opens a port to some client, as far as numbers tell: of `rule`, `port`. */}}
{{- define "kepler.opensPort" -}}
{{- $port := int .port -}}
{{- range .rule.ports | default (list dict) -}}
{{- $first := include "kepler.text" .port -}}
{{- if not (regexMatch "^[0-9]+$" $first) }}true{{ else if and (ge $port (int $first)) (le $port (int (.endPort | default $first))) }}true{{ end -}}
{{- end -}}
{{- end }}

{{- define "kepler.portName" -}}
{{- include "kepler.scheme" . }}
{{- end }}
