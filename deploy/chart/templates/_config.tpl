{{/* What the chart reads from the config; every problem is said here, before anything is applied. */}}

{{/* The config as JSON; an empty object where an existing ConfigMap has it. */}}
{{- define "survey-dispatcher.config" -}}
{{- if and .Values.config .Values.existingConfigMap -}}
{{- fail "config and existingConfigMap are both set; expected one of them" -}}
{{- else if .Values.config -}}
{{- $config := fromYaml .Values.config -}}
{{- if hasKey $config "Error" -}}
{{- fail (printf "config is not YAML (%s); `survey-dispatcher validate` says where" (get $config "Error")) -}}
{{- end -}}
{{ toJson $config }}
{{- else if and .Values.tables .Values.existingConfigMap -}}
{{- fail "tables and existingConfigMap are both set; put the tables' files into that ConfigMap" -}}
{{- else if .Values.existingConfigMap -}}
{}
{{- else -}}
{{- fail "there is no routing config: expected --set-file config=routing.yaml, or existingConfigMap" -}}
{{- end -}}
{{- end -}}

{{/* The data of a ConfigMap: the config, and beside it the files of its tables, byte for byte. */}}
{{- define "survey-dispatcher.configFiles" -}}
routing.yaml: |2
  {{- .Values.config | nindent 2 }}
{{- range $name, $text := .Values.tables }}
{{ $name }}: {{ $text | toJson }}
{{- end }}
{{- end -}}

{{/* A duration of the config → whole seconds, rounded up. */}}
{{- define "survey-dispatcher.seconds" -}}
{{- if not (regexMatch "^[0-9]{1,9}(ms|s|m|h|d)$" (toString .)) -}}
{{- fail (printf "call_timeout %v in the config is not a plain duration such as 30s: set terminationGracePeriodSeconds" .) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" -}}
{{ div (add $number 999) 1000 }}
{{- else -}}
{{ mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) }}
{{- end -}}
{{- end -}}

{{- define "survey-dispatcher.gracePeriod" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{ int .Values.terminationGracePeriodSeconds }}
{{- else -}}
{{- $quotas := (include "survey-dispatcher.config" . | fromJson).quotas -}}
{{- $longest := ternary 0 30 (not (empty $quotas)) -}}
{{- range $name, $quota := $quotas -}}
{{- $longest = max $longest (include "survey-dispatcher.seconds" (default "30s" $quota.call_timeout) | int) -}}
{{- end -}}
{{ add $longest 40 }}
{{- end -}}
{{- end -}}

{{- define "survey-dispatcher.adminPort" -}}
{{- $admin := default dict (include "survey-dispatcher.config" . | fromJson).admin -}}
{{- if has (default "" $admin.host) (list "127.0.0.1" "localhost" "::1") -}}
{{- fail (printf "admin.host %s in the config: probes and Prometheus cannot reach it; leave it out" $admin.host) -}}
{{- end -}}
{{- $port := default (default 9464 $admin.port) .Values.adminPort -}}
{{- if not (regexMatch "^[1-9][0-9]*$" (toString $port)) -}}
{{- fail (printf "admin.port %v in the config is not a plain port: set adminPort to what it will be" $port) -}}
{{- end -}}
{{ $port }}
{{- end -}}

{{/* HTTPS where the config's admin.tls says so: of probes and scrapes. */}}
{{- define "survey-dispatcher.adminScheme" -}}
{{- $admin := default dict (include "survey-dispatcher.config" . | fromJson).admin -}}
{{ ternary "HTTPS" "HTTP" (hasKey $admin "tls") }}
{{- end -}}

{{/* The port of metrics alone, from the config's admin.metrics_port; empty: the admin port has them. */}}
{{- define "survey-dispatcher.metricsPort" -}}
{{- $admin := default dict (include "survey-dispatcher.config" . | fromJson).admin -}}
{{- with $admin.metrics_port }}{{ . }}{{ end -}}
{{- end -}}

{{/* Changes with the sections that a running process cannot take up: a new one restarts the pods. */}}
{{- define "survey-dispatcher.restartsWith" -}}
{{- $config := include "survey-dispatcher.config" . | fromJson -}}
{{ pick $config "application_id" "kafka" "pseudonym" "contacts" "feeds" "admin" | toJson | sha256sum | trunc 16 }}
{{- end -}}

{{/* sqlite or valkey; empty without a contact store, and where an existing ConfigMap has the config. */}}
{{- define "survey-dispatcher.storeType" -}}
{{ dig "contacts" "store" "type" "" (include "survey-dispatcher.config" . | fromJson) }}
{{- end -}}

{{/* The folder of a SQLite store. */}}
{{- define "survey-dispatcher.storeFolder" -}}
{{- $path := dig "contacts" "store" "path" "" (include "survey-dispatcher.config" . | fromJson) -}}
{{- if not (regexMatch "^/[^$/]+/[^$]*[^$/]$" $path) -}}
{{- fail (printf "contacts.store.path %q in the config is no file in a folder of its own: expected one such as /var/lib/survey-dispatcher/contacts.sqlite, where the chart mounts a volume" $path) -}}
{{- end -}}
{{ dir $path }}
{{- end -}}

{{/* Whether pods of the role keep the store's file: .root is the chart's context. */}}
{{- define "survey-dispatcher.keepsStore" -}}
{{- if and (eq (include "survey-dispatcher.storeType" .root) "sqlite") (ne .role "router") -}}
yes
{{- end -}}
{{- end -}}

{{/* The volume of a SQLite store, as a claim of its own or of the StatefulSet. */}}
{{- define "survey-dispatcher.storeClaim" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.contactStore.volume.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ .Values.contactStore.volume.size }}}}
{{- end -}}
