{{- define "frametally.labels" -}}
app.kubernetes.io/name: frametally
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "frametally.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Keys of the Secret that a pod gets, as a list. */ -}}
{{- define "frametally.secretKeys" -}}
{{- $keys := concat .root.Values.secretKeys (.service.secretKeys | default list) -}}
{{- if .root.Values.settings.FRAMETALLY_QUEUE_URL }}{{ $keys = append $keys "FRAMETALLY_QUEUE_PASSWORD" }}{{ end -}}
{{- if and (eq .name "dashboard") .root.Values.ingress.proxyLogin.enabled }}{{ $keys = append $keys "FRAMETALLY_PROXY_SECRET" }}{{ end -}}
{{- $keys | uniq | toJson -}}
{{- end }}

{{- /* The pod of a service: .root, .name, .service (command, settings, secretKeys, resources, storage), .once */ -}}
{{- define "frametally.pod" -}}
{{- $isDashboard := eq .name "dashboard" -}}
{{- $keys := include "frametally.secretKeys" . | fromJsonArray -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 60
restartPolicy: {{ ternary "Never" "Always" (.once | default false) }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: frametally
    image: {{ include "frametally.image" .root | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: {{ concat (list "frametally") .service.command | toJson }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    env:
      {{- range $name, $value := merge (dict) (.service.settings | default dict) .root.Values.settings }}
      {{- if ne (toString $value) "" }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
      {{- end }}
      {{- range $keys }}
      - {name: {{ . }}_FILE, value: /run/secrets/frametally/{{ . }}}
      {{- end }}
      {{- if $isDashboard }}
      - {name: FRAMETALLY_WEB_HOSTS, value: {{ printf "%s,%s-dashboard" .root.Values.ingress.host .root.Release.Name | quote }}}
      - {name: FRAMETALLY_WEB_URL, value: {{ printf "https://%s" .root.Values.ingress.host | quote }}}
      - {name: FRAMETALLY_WEB_UPLOADS, value: "true"}
      {{- if .root.Values.ingress.proxyLogin.enabled }}
      - {name: FRAMETALLY_PROXY_ROLES, value: {{ .root.Values.ingress.proxyLogin.roles | quote }}}
      {{- else }}
      - {name: FRAMETALLY_WEB_ACCOUNTS, value: "true"}
      {{- end }}
      {{- else if not .once }}
      - {name: FRAMETALLY_METRICS_ADDRESS, value: "0.0.0.0:9464"}
      {{- end }}
    {{- if not .once }}
    ports:
      - {name: {{ ternary "web" "metrics" $isDashboard }}, containerPort: {{ ternary 5001 9464 $isDashboard }}}
    {{- if $isDashboard }}
    # Without its index it is not ready, and a restart would not help.
    startupProbe: {tcpSocket: {port: web}, periodSeconds: 5, failureThreshold: 120}
    livenessProbe: {tcpSocket: {port: web}, periodSeconds: 20, failureThreshold: 3}
    readinessProbe:
      httpGet: {path: /healthz, port: web, httpHeaders: [{name: Host, value: localhost}]}
      periodSeconds: 10
      timeoutSeconds: 5
    {{- else }}
    startupProbe: {httpGet: {path: /healthz, port: metrics}, periodSeconds: 5, failureThreshold: 120}
    livenessProbe: {httpGet: {path: /healthz, port: metrics}, periodSeconds: 20, timeoutSeconds: 5, failureThreshold: 3}
    readinessProbe: {httpGet: {path: /healthz, port: metrics}, periodSeconds: 10, timeoutSeconds: 5}
    {{- end }}
    {{- end }}
    {{- with .service.resources }}
    resources: {{ toJson . }}
    {{- end }}
    volumeMounts:
      - {name: data, mountPath: /data}
      - {name: tmp, mountPath: /tmp}
      - {name: secrets, mountPath: /run/secrets/frametally, readOnly: true}
volumes:
  {{- if not .service.storage }}
  - {name: data, emptyDir: {sizeLimit: 10Gi}}
  {{- end }}
  - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
  - name: secrets
    secret:
      secretName: {{ .root.Values.secretName }}
      defaultMode: 0440
      items:
        {{- range $keys }}
        - {key: {{ . }}, path: {{ . }}}
        {{- end }}
{{- end }}
