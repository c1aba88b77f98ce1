package httpx

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// WantsJSON reports whether to answer in JSON: the request comes from XMLHttpRequest, it prefers
// JSON to HTML, or it sends JSON and does not prefer HTML. A [Library] gets HTML unless it prefers
// JSON.
func WantsJSON(r *http.Request) bool {
	accept := acceptOf(r)
	asJSON, asHTML := rankOf(accept, "application", "json"), rankOf(accept, "text", "html")
	if LibraryOf(r) != NoLibrary {
		return asJSON.above(asHTML)
	}
	if strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest") {
		return true
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.EqualFold(strings.TrimSpace(mediaType), "application/json") {
		return !asHTML.above(asJSON)
	}
	return asJSON.above(asHTML)
}

// AcceptsHTML reports whether the request accepts HTML, if only because it accepts anything.
func AcceptsHTML(r *http.Request) bool {
	accept := acceptOf(r)
	return accept == "" || rankOf(accept, "text", "html").precision > 0
}

// NamesHTML reports whether the request's Accept header names HTML or any text.
func NamesHTML(r *http.Request) bool {
	return rankOf(acceptOf(r), "text", "html").precision > 1
}

func acceptOf(r *http.Request) string { return strings.Join(r.Header.Values("Accept"), ",") }

// rank is how much an Accept header wants a media type.
type rank struct {
	quality   float64
	precision int // 0 no range, 1 */*, 2 type/*, 3 type/subtype
}

// above compares by quality. At the same quality, the type named more precisely wins: scripts send
// "application/json, */*".
func (a rank) above(b rank) bool {
	if a.quality != b.quality {
		return a.quality > b.quality
	}
	return a.quality > 0 && a.precision > b.precision
}

// rankOf finds the most precise range of accept that covers the media type (RFC 9110, section
// 12.5.1). Without an Accept header every type ranks the same.
func rankOf(accept, mainType, subtype string) rank {
	var best rank
	for part := range strings.SplitSeq(accept, ",") {
		mediaRange, params, _ := strings.Cut(part, ";")
		main, sub, _ := strings.Cut(strings.TrimSpace(mediaRange), "/")
		precision := 0
		switch {
		case strings.EqualFold(main, mainType) && strings.EqualFold(sub, subtype):
			precision = 3
		case strings.EqualFold(main, mainType) && sub == "*":
			precision = 2
		case main == "*" && sub == "*":
			precision = 1
		}
		if precision > best.precision {
			best = rank{quality: qualityOf(params), precision: precision}
		}
	}
	return best
}

func qualityOf(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}

// PreferredLanguages returns the languages that the request asks for, the most preferred first (RFC
// 9110, section 12.5.4).
func PreferredLanguages(r *http.Request) []string {
	type wanted struct {
		tag     string
		quality float64
	}
	var ranges []wanted
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Language"), ","), ",") {
		tag, params, _ := strings.Cut(part, ";")
		if quality := qualityOf(params); quality > 0 {
			ranges = append(ranges, wanted{strings.TrimSpace(tag), quality})
		}
	}
	slices.SortStableFunc(ranges, func(a, b wanted) int { return cmp.Compare(b.quality, a.quality) })
	tags := make([]string, 0, len(ranges))
	for _, wanted := range ranges {
		tags = append(tags, wanted.tag)
	}
	return tags
}
