"""Words that are nobody's secret, and that an anonymised file keeps."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Kubernetes', Istio's and Jaeger's own names, in lower case.
COMMON = _words(
    """
    svc cluster local localhost localdomain internal default unknown latest istio-system kube-system istio-proxy
    istio-ingress istio-ingressgateway istio-egressgateway ingressgateway egressgateway ingress istiod istio-pilot
    istio-policy istio-telemetry istio-mixer mixer jaeger jaeger-query jaeger-collector jaeger-all-in-one zipkin
    kubernetes opentelemetry instrumentation envoy
    """
)
PROXIES = _words("sidecar router ingress waypoint ztunnel")
COMPONENTS = _words("proxy http net/http grpc gRPC java-web-servlet")
VERSIONS = _words("latest stable canary blue green primary baseline prod production staging test dev")
SCHEMES = _words("http https grpc grpcs ws wss tcp udp tls redis rediss kafka amqp amqps mongodb jdbc")
EVENTS = _words("exception error message log cs cr ss sr ms mr ws wr message.sent message.received")
#: What operations do, in lower case.
VERBS = _words(
    """
    get head post put delete connect options trace patch http https grpc
    router ingress egress async
    select insert update delete upsert merge replace create drop alter truncate begin commit rollback set incr decr
    hget hset hgetall mget mset del expire publish subscribe query exec execute find aggregate count scan
    send receive process settle ack consume produce poll handle request response call client server
    """
)
#: What errors are made of everywhere, in lower case. Anything else in the type of an error may be somebody's name.
ERROR_WORDS = _words(
    """
    a an the of in on to at by is not no for with while was error errors err exception failure failed fail fault abort
    aborted time timeout timed out deadline exceeded cancel canceled cancelled context connection connect connected
    disconnect disconnected refused reset unreachable unavailable broken pipe socket eof hang up closed close resolve
    resolved lookup host dns gaierror enotfound econnrefused econnreset etimedout epipe ehostunreach enetunreach
    econnaborted
    io os net http https grpc rpc tcp ssl tls url uri json xml sql file stream channel network protocol transport
    client server internal remote local peer proxy gateway upstream service bad request response status code
    illegal invalid unexpected unsupported unknown unimplemented missing empty null nil none pointer value type key
    index attribute name argument state operation access permission denied unauthorized unauthenticated forbidden
    found conflict exists exhausted resource limit rate too many large long overflow underflow bounds range out
    assertion arithmetic runtime memory stack dead lock deadlock detected retry read write parse format string number
    java javax lang util concurrent execution sun python builtins system go errno errorstring wrap main
    """
)
#: Tags whose values stay: numbers, enumerations and names of standards.
KEPT_TAGS = _words(
    """
    span.kind error otel.status_code canceled exception.escaped
    http.status_code http.response.status_code http.method http.request.method http.protocol http.flavor http.scheme
    http.request_content_length http.response_content_length http.request.body.size http.response.body.size
    http.request.size http.response.size http.request.resend_count http.resend_count url.scheme
    network.protocol.name network.protocol.version network.transport network.type net.transport net.protocol.name
    net.protocol.version server.port client.port net.peer.port net.host.port network.peer.port network.local.port
    net.sock.peer.port peer.port
    response_flags request_size response_size retry.count grpc.status_code rpc.grpc.status_code
    rpc.response.status_code rpc.connect_rpc.error_code db.type rpc.system
    rpc.system.name db.system db.system.name db.response.returned_rows
    messaging.system messaging.message.body.size messaging.batch.message_count
    telemetry.sdk.language telemetry.sdk.name internal.span.format sampler.type sampler.param cloud.provider
    cloud.platform os.type host.arch
    """
)
