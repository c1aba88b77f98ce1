package checkconfig

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// address returns the scheme, host and port under which this machine serves the hosts.
func (s *server) address(hosts []string) string {
	host := "localhost"
	for _, name := range hosts {
		if name = strings.Replace(name, "*", "www", 1); !strings.ContainsAny(name, "{*") {
			host = name
			break
		}
	}
	port := 0
	for _, listen := range s.Listen {
		if parsed, err := caddy.ParseNetworkAddressWithDefaults(listen, "tcp", caddyhttp.DefaultHTTPSPort); err == nil && !parsed.IsUnixNetwork() {
			port = int(parsed.StartPort)
			break
		}
	}
	scheme := "http"
	if s.isSecure(port, hosts) {
		scheme = "https"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != 0 && port != map[string]int{"http": caddyhttp.DefaultHTTPPort, "https": caddyhttp.DefaultHTTPSPort}[scheme] {
		host += ":" + strconv.Itoa(port)
	}
	return scheme + "://" + host
}

// isSecure reports whether the hosts are served over HTTPS, which Caddy turns on by itself for names
// on another port than that of HTTP.
func (s *server) isSecure(port int, hosts []string) bool {
	if port == caddyhttp.DefaultHTTPPort || s.AutoHTTPS.Disabled {
		return len(s.Policies) > 0
	}
	isPlain := func(host string) bool { return slices.Contains(s.AutoHTTPS.Skip, host) }
	return len(s.Policies) > 0 || port == caddyhttp.DefaultHTTPSPort || len(hosts) > 0 && !slices.ContainsFunc(hosts, isPlain)
}
