{{- define "frametally.labels" -}}
app.kubernetes.io/name: frametally
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "frametally.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* The services, the workers and the jobs by name, as `frametally.pod` takes them. */ -}}
{{- define "frametally.services" -}}
{{- $all := deepCopy .Values.services -}}
{{- range $queue, $replicas := .Values.workers -}}
{{- $small := and ($.Values.smallWorker | default false) (eq $queue "frames") -}}
{{- $command := ternary (list "work") (list "work" "--queue" $queue) $small -}}
{{- $servers := list "store" "log" "index" "ledger" "queue" -}}
{{- if or $small (eq $queue "media") }}{{ $servers = append $servers "gold" }}{{ end -}}
{{- $worker := dict "command" $command "servers" $servers "models" true "replicas" $replicas "resources" $.Values.workerResources -}}
{{- $_ := set $all (printf "worker-%s" $queue) (merge $worker $.Values.worker) -}}
{{- end -}}
{{- toJson $all -}}
{{- end }}

{{- /* Keys of the Secret that a pod gets, as a list: of its servers that ask for a password, and its own. */ -}}
{{- define "frametally.secretKeys" -}}
{{- $settings := merge (dict) (.service.settings | default dict) .root.Values.settings -}}
{{- $keys := concat .root.Values.secretKeys (.service.secretKeys | default list) -}}
{{- $asks := dict
  "store" (list "FRAMETALLY_STORE_SECRET_KEY" $settings.FRAMETALLY_STORE_ACCESS_KEY)
  "log" (list "FRAMETALLY_LOG_PASSWORD" $settings.FRAMETALLY_LOG_USER)
  "index" (list "FRAMETALLY_INDEX_PASSWORD" (or $settings.FRAMETALLY_INDEX_USER (hasPrefix "postgresql" $settings.FRAMETALLY_INDEX_URL)))
  "ledger" (list "FRAMETALLY_LEDGER_PASSWORD" (or (hasPrefix "postgresql" $settings.FRAMETALLY_LEDGER_URL) (hasPrefix "postgresql" $settings.FRAMETALLY_CATALOGUE_URL)))
  "gold" (list "FRAMETALLY_GOLD_PASSWORD" $settings.FRAMETALLY_GOLD_URL)
  "queue" (list "FRAMETALLY_QUEUE_PASSWORD" $settings.FRAMETALLY_QUEUE_URL) -}}
{{- range .service.servers }}{{ $ask := index $asks . }}{{ if index $ask 1 }}{{ $keys = append $keys (index $ask 0) }}{{ end }}{{ end -}}
{{- if and (eq .name "dashboard") .root.Values.ingress.proxyLogin.enabled }}{{ $keys = append $keys "FRAMETALLY_PROXY_SECRET" }}{{ end -}}
{{- $keys | uniq | toJson -}}
{{- end }}

{{- /* The template of a pod: .root, .name, .service (command, servers, settings, ...), .once */ -}}
{{- define "frametally.pod" -}}
{{- $isDashboard := eq .name "dashboard" -}}
{{- $keys := include "frametally.secretKeys" . | fromJsonArray -}}
{{- $pod := mergeOverwrite (deepCopy .root.Values.pod) (.service.pod | default dict) -}}
{{- $annotations := $pod.annotations -}}
{{- if and .root.Values.metrics.annotations (not .once) -}}
{{- $annotations = merge (dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" (ternary "5001" "9464" $isDashboard)) $annotations -}}
{{- end -}}
{{- $models := and .service.models .root.Values.models.claim -}}
metadata:
  labels: {{- include "frametally.labels" . | nindent 4 }}
    {{- with $pod.labels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $annotations }}
  annotations: {{ toJson . }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 60
  restartPolicy: {{ ternary "Never" "Always" (.once | default false) }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  {{- range $key := list "serviceAccountName" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
  {{- with index $pod $key }}
  {{ $key }}: {{ toJson . }}
  {{- end }}
  {{- end }}
  securityContext: {{ merge (dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault")) $pod.securityContext | toJson }}
  containers:
    - name: frametally
      image: {{ .service.image | default (include "frametally.image" .root) | quote }}
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
        {{- if $models }}
        - {name: FRAMETALLY_MODELS_DIR, value: /models}
        {{- end }}
        {{- if $isDashboard }}
        # Prometheus asks each pod by its address.
        - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: FRAMETALLY_WEB_HOSTS, value: {{ printf "%s,%s-dashboard,$(POD_IP)" .root.Values.ingress.host .root.Release.Name | quote }}}
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
      # Not /healthz, which follows the index: without it, the pages still say what is wrong, and a restart would not help.
      startupProbe: {tcpSocket: {port: web}, periodSeconds: 5, failureThreshold: 120}
      livenessProbe: {tcpSocket: {port: web}, periodSeconds: 20, failureThreshold: 3}
      readinessProbe:
        httpGet: {path: /api/docs, port: web, httpHeaders: [{name: Host, value: localhost}]}
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
        {{- if $models }}
        - {name: models, mountPath: /models}
        {{- end }}
        {{- with $pod.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    {{- if not .service.storage }}
    - {name: data, emptyDir: {sizeLimit: 10Gi}}
    {{- end }}
    - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
    - name: secrets
      {{- if $keys }}
      secret:
        secretName: {{ .service.secretName | default .root.Values.secretName }}
        defaultMode: 0440
        items:
          {{- range $keys }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
      {{- else }}
      emptyDir: {sizeLimit: 1Mi}
      {{- end }}
    {{- if $models }}
    - {name: models, persistentVolumeClaim: {claimName: {{ .root.Values.models.claim }}}}
    {{- end }}
    {{- with $pod.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}
