{{- define "survey-dispatcher.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough that a pod's name, which is its instance, stays a valid label. */}}
{{- define "survey-dispatcher.fullname" -}}
{{- $name := include "survey-dispatcher.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "survey-dispatcher.selector" -}}
app.kubernetes.io/name: {{ include "survey-dispatcher.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The topics job's pods are not served by the Service, and so not scraped. */}}
{{- define "survey-dispatcher.topicsName" -}}
{{ include "survey-dispatcher.name" . }}-topics
{{- end -}}

{{/* Nor those of the CSV jobs. */}}
{{- define "survey-dispatcher.csvName" -}}
{{ include "survey-dispatcher.name" . }}-csv
{{- end -}}

{{/* Nor that of `helm test`. */}}
{{- define "survey-dispatcher.testName" -}}
{{ include "survey-dispatcher.name" . }}-test
{{- end -}}

{{- define "survey-dispatcher.labels" -}}
{{ include "survey-dispatcher.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "survey-dispatcher.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "survey-dispatcher.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "survey-dispatcher.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ required "serviceAccount.name: expected the name of an existing ServiceAccount, for serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "survey-dispatcher.configMap" -}}
{{ default (printf "%s-config" (include "survey-dispatcher.fullname" .)) .Values.existingConfigMap }}
{{- end -}}

{{/* The workloads as JSON: role → its values. */}}
{{- define "survey-dispatcher.roles" -}}
{{- if eq .Values.mode "split" -}}
{{ dict "router" .Values.router "sender" .Values.sender | toJson }}
{{- else -}}
{{ dict "all" .Values.all | toJson }}
{{- end -}}
{{- end -}}

{{- define "survey-dispatcher.roleName" -}}
{{- $full := include "survey-dispatcher.fullname" .root -}}
{{ eq .role "all" | ternary $full (printf "%s-%s" $full .role) }}
{{- end -}}
