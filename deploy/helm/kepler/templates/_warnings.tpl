{{/* Values without effect, or with one that may surprise: one warning a line. */}}
{{- define "kepler.warnings" -}}
{{- include "kepler.unknownValues" . -}}
{{- include "kepler.unknownKeys" (dict "section" (.Values.config | default dict) "prefix" "" "known" (.Files.Lines "files/config-keys.txt")) -}}
{{- $config := include "kepler.config" . | fromYaml -}}
{{- if include "kepler.hasGoDefaultImage" . }}
`image.repository` is Go Kepler's image, which its chart has by default: `{{ include "kepler.image" . }}` runs instead. Leave it out.
{{- else if hasSuffix "sustainable_computing_io/kepler" .Values.image.repository }}
`image.repository` is Go Kepler's image: leave it out, and `image.tag` with it, or name an image of this program.
{{- else if regexMatch "^(v0\\.|release-0\\.)" (.Values.image.tag | default "") }}
`image.tag` `{{ .Values.image.tag }}` looks like one of Go Kepler's images: leave it out, or name a tag that `{{ .Values.image.repository }}` has.
{{- end }}
{{- if and .Values.networkPolicy.enabled (not (include "kepler.hasOwnIngress" .)) }}
{{- range $port := include "kepler.agentPorts" . | fromYamlArray }}
{{- $opened := "" -}}
{{- range $.Values.networkPolicy.ingress }}{{ $opened = print $opened (include "kepler.opensPort" (dict "rule" . "port" $port)) }}{{ end -}}
{{- if not $opened }}
`networkPolicy.ingress` does not open the agents' port {{ $port }}: no client reaches it.
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.networkPolicy.egress (not (kindIs "slice" .Values.networkPolicy.egress)) }}
`networkPolicy.egress` is no list of rules, and has no effect.
{{- end }}
{{- if (dig "monitor" "staleness" "" $config) }}
`config.monitor.staleness` has no effect: a scrape never starts a measurement.
{{- end }}
{{- if (dig "debug" "pprof" "enabled" false $config) }}
`config.debug.pprof` has no effect: use `perf`.
{{- end }}
{{- if kindIs "bool" (dig "model" "enabled" "" $config) }}
`config.model.enabled` has no effect: a model estimates only what nothing measures; `config.model.path` names another one.
{{- end }}
{{- if or (dig "dev" "fake-cpu-meter" "enabled" false $config) (has "fake" (dig "cpu" "preferredMeters" list $config | default list)) }}
`config.dev.fake-cpu-meter` or a preferred meter `fake`: power figures are made up, not measured.
{{- end }}
{{- if and (dig "experimental" "gpu" "enabled" false $config) (not .Values.daemonset.nvidia) }}
`config.experimental.gpu` finds NVIDIA's devices only with `daemonset.nvidia: true`.
{{- end }}
{{- if .Values.rbac.nodesProxy }}
`rbac.nodesProxy` lets the node agent's token run commands in every container of every node.
{{- end }}
{{- if .Values.daemonset.securityContext }}
`daemonset.securityContext` replaces what the profile `{{ .Values.profile }}` says.
{{- if .Values.daemonset.securityContext.privileged }} A privileged container is needed for the MSR driver only; powercap, perf and eBPF work with the profile `default`.{{ end }}
{{- end }}
{{- if not .Values.daemonset.hostMounts }}
`daemonset.hostMounts: false`: the power of the node is estimated, and is not divided among its pods.
{{- else if eq .Values.profile "restricted" }}
The profile `restricted` reads no energy counters: power is estimated from the CPU time in /proc.
{{- end }}
{{- if and .Values.hub.enabled (hasPrefix "endpoints=" (.Values.hub.source | default "")) (ne .Values.hub.source (printf "endpoints=%s/%s" (include "kepler.namespace" .) (include "kepler.fullname" .))) }}
`hub.source` names another Service than this release's: the hub needs a Role with `list` and `watch` of its EndpointSlices.
{{- end }}
{{- if and .Values.hub.enabled (not .Values.hub.tokenSecret.name) (not .Values.hub.kubernetesAuth) (ne .Values.hub.service.type "ClusterIP") }}
The hub answers every client that reaches its port {{ .Values.hub.service.nodePort }} of a node: set `hub.tokenSecret` or `hub.kubernetesAuth`, or keep that port closed.
{{- end }}
{{- if and .Values.hub.enabled .Values.tls.enabled (not .Values.hub.source) (not .Values.hub.sourceCASecret) }}
The agents have certificates: the hub needs `hub.sourceCASecret` to verify them, unless a public authority signed them.
{{- end }}
{{- include "kepler.powerMonitorWarnings" . }}
{{- end }}

{{- define "kepler.unknownValues" -}}
{{- $own := include "kepler.ownValues" . | fromYaml -}}
{{- $named := dict "env" "extraEnv" "args" "extraArgs" "volumes" "extraVolumes" "volumeMounts" "extraVolumeMounts" "logLevel" "config.log.level" -}}
{{- range $key := keys (omit .Values "global") | sortAlpha }}
{{- if not (hasKey $own $key) }}
`{{ $key }}` is no value of this chart, and has no effect
{{- if hasKey $own.daemonset $key }}: it is `daemonset.{{ $key }}`{{ else if hasKey $named $key }}: it is `{{ get $named $key }}`{{ else if eq $key "extraEnvVars" }}: it is of charts of Kepler up to 0.9, whose values `kepler migrate` reads{{ end }}.
{{- end }}
{{- end }}
{{- range $section, $known := omit $own "config" }}
{{- if and $known (kindIs "map" $known) }}
{{- range $key := keys (get $.Values $section) | sortAlpha }}
{{- if not (hasKey $known $key) }}
`{{ $section }}.{{ $key }}` is no value of this chart, and has no effect.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Keys of the configuration that the program does not know. */}}
{{- define "kepler.unknownKeys" -}}
{{- $root := . -}}
{{- range $key := keys .section | sortAlpha }}
{{- $path := ternary $key (printf "%s.%s" $root.prefix $key) (eq $root.prefix "") -}}
{{- $isSection := false -}}
{{- range $root.known }}{{ if hasPrefix (printf "%s." $path) . }}{{ $isSection = true }}{{ end }}{{ end -}}
{{- $value := get $root.section $key -}}
{{- if and $isSection (kindIs "map" $value) -}}
{{- include "kepler.unknownKeys" (dict "section" $value "prefix" $path "known" $root.known) -}}
{{- else if not (or $isSection (has $path $root.known)) }}
`config.{{ $path }}` is no setting of Kepler, and has no effect.
{{- end }}
{{- end }}
{{- end }}

{{/* What a PowerMonitor asks of the operator, and the chart does not do. */}}
{{- define "kepler.powerMonitorWarnings" -}}
{{- $asked := include "kepler.powerMonitor" . | fromYaml -}}
{{- $deployment := $asked.deployment | default dict -}}
{{- $security := $deployment.security | default dict -}}
{{- if and (eq ($security.mode | default "none") "rbac") (not .Values.tls.enabled) }}
`powerMonitor…security.mode: rbac` needs `tls.enabled`: without it the agents answer every client, as a token would be read on the way.
{{- end }}
{{- if and $security.allowedSANames (not .Values.tls.clientCAKey) }}
`powerMonitor…security.allowedSANames` holds only with `tls.enabled` and `tls.clientCAKey`, for names in clients' certificates.
{{- end }}
{{- if ($asked.config | default dict).additionalConfigMaps }}
`powerMonitor…additionalConfigMaps` are not read: put what they hold into `config`.
{{- end }}
{{- range $key := keys ($asked.config | default dict) | sortAlpha }}
{{- if not (has $key (list "logLevel" "metricLevels" "staleness" "sampleRate" "maxTerminated" "additionalConfigMaps")) }}
`powerMonitor…config.{{ $key }}` is unknown, and has no effect.
{{- end }}
{{- end }}
{{- range $key := keys $deployment | sortAlpha }}
{{- if not (has $key (list "nodeSelector" "tolerations" "security" "secrets")) }}
`powerMonitor…deployment.{{ $key }}` is unknown, and has no effect.
{{- end }}
{{- end }}
{{- end }}
