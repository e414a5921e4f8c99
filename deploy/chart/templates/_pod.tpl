{{/* What the pods of the workloads and of the topics job have in common. */}}

{{/* Whether the platform assigns user and group: OpenShift refuses pods that name others. */}}
{{- define "survey-dispatcher.assignedUser" -}}
{{- $ids := .Values.security.userIds -}}
{{- if or (eq $ids "assigned") (and (eq $ids "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
yes
{{- end -}}
{{- end -}}

{{- define "survey-dispatcher.podSecurity" -}}
{{- $ours := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not (include "survey-dispatcher.assignedUser" .) -}}
{{- /* The files of Secrets belong to the group; no other may read them. */ -}}
{{- $ours = merge $ours (dict "runAsUser" 10001 "runAsGroup" 10001 "fsGroup" 10001) -}}
{{- end -}}
{{- mergeOverwrite $ours .Values.security.podSecurityContext | toYaml -}}
{{- end -}}

{{- define "survey-dispatcher.containerSecurity" -}}
{{- $ours := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- mergeOverwrite $ours .Values.security.containerSecurityContext | toYaml -}}
{{- end -}}

{{/* Folders, and no subPath: only so does Kubernetes pass on what changes. .root: the chart's context;
     .secrets: whether Secrets are there already. */}}
{{- define "survey-dispatcher.mounts" -}}
- {name: config, mountPath: /etc/survey-dispatcher/config, readOnly: true}
{{- if and .secrets .root.Values.secrets.existingSecret }}
- {name: secrets, mountPath: /etc/survey-dispatcher/secrets, readOnly: true}
{{- end }}
{{- if and .secrets .root.Values.contactStore.existingSecret }}
- {name: contact-store, mountPath: /etc/survey-dispatcher/contact-store, readOnly: true}
{{- end }}
{{- $left := list }}
{{- range .root.Values.volumes }}{{ if hasKey . "secret" }}{{ $left = append $left .name }}{{ end }}{{ end }}
{{- range .root.Values.volumeMounts }}
{{- if or $.secrets (not (has .name $left)) }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The same, and .configMap: the name of the ConfigMap with the config. */}}
{{- define "survey-dispatcher.volumes" -}}
- name: config
  configMap: {name: {{ .configMap }}}
{{- if .secrets }}
{{- with .root.Values.secrets.existingSecret }}
- name: secrets
  secret: {secretName: {{ . }}, defaultMode: 288}  # 0440, in a form that every reader of YAML takes for the same
{{- end }}
{{- with .root.Values.contactStore.existingSecret }}
- name: contact-store
  secret: {secretName: {{ . }}, defaultMode: 288}
{{- end }}
{{- end }}
{{- range .root.Values.volumes }}
{{- if or $.secrets (not (hasKey . "secret")) }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- end -}}

{{/* .root: the chart's context; .role: values of a role, each of which wins over the chart's own. */}}
{{- define "survey-dispatcher.placement" -}}
{{- $values := .root.Values -}}
{{- with default $values.nodeSelector .role.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default $values.tolerations .role.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default $values.affinity .role.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A probe: what it asks, and how often; .kind: startup, liveness or readiness. */}}
{{- define "survey-dispatcher.probe" -}}
httpGet: {path: {{ .path }}, port: admin, scheme: {{ include "survey-dispatcher.adminScheme" .root }}}
{{ get .root.Values.probes .kind | toYaml }}
{{- end -}}
