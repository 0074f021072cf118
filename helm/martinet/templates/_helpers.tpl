{{- define "martinet.name" -}}
{{- printf "%s" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "martinet.labels" -}}
app.kubernetes.io/name: martinet
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "martinet.selector" -}}
app.kubernetes.io/name: martinet
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "martinet.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
