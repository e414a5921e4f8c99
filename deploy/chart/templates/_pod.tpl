{{/* What the pods of the workloads and of the topics job have in common. */}}

{{- define "survey-dispatcher.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
# The files of Secrets belong to this group; no other may read them.
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "survey-dispatcher.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Folders, and no subPath: only so does Kubernetes pass on what changes. */}}
{{- define "survey-dispatcher.mounts" -}}
- {name: config, mountPath: /etc/survey-dispatcher/config, readOnly: true}
{{- if .Values.secrets.existingSecret }}
- {name: secrets, mountPath: /etc/survey-dispatcher/secrets, readOnly: true}
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* .root: the chart's context; .configMap: the name of the ConfigMap with the config. */}}
{{- define "survey-dispatcher.volumes" -}}
- name: config
  configMap: {name: {{ .configMap }}}
{{- with .root.Values.secrets.existingSecret }}
- name: secrets
  secret: {secretName: {{ . }}, defaultMode: 288}  # 0440, in a form that every reader of YAML takes for the same
{{- end }}
{{- with .root.Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "survey-dispatcher.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}
