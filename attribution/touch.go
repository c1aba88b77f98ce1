package attribution

import (
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

// Bounds of a touch. Longer text is cut. A click's id works only as a whole, so a longer one is
// dropped.
const (
	maxParams   = 16
	maxText     = 120
	maxClickID  = 255
	maxName     = 40
	maxLanding  = 160
	maxReferrer = 160
)

// Touch is a visit that came from somewhere: it had a known parameter, or a referrer of another
// site. All text in it was sent by the visitor's browser, so anybody can make it up.
type Touch struct {
	At time.Time
	// Params are the known parameters of the page's URL, each once.
	Params []Param
	// Referrer is the address of the page with the link, without its query. Most browsers send only
	// its origin.
	Referrer string
	// Landing is the path of the page that the visitor came to, as in its URL.
	Landing string
}

// Param is a parameter of a URL.
type Param struct{ Name, Value string }

// IsZero reports whether the touch does not say where the visitor came from.
func (t Touch) IsZero() bool { return len(t.Params) == 0 && t.Referrer == "" }

// Param returns the value of a parameter, or "".
func (t Touch) Param(name string) string {
	for _, p := range t.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Channel returns the touch's channel, with the name that Google Analytics 4 gives it. It is empty
// for no touch.
func (t Touch) Channel() string {
	if t.IsZero() {
		return ""
	}
	table := channels()
	o := origin{
		Source:   strings.ToLower(t.Param("utm_source")),
		Medium:   strings.ToLower(t.Param("utm_medium")),
		Campaign: strings.ToLower(t.Param("utm_campaign")),
	}
	isTagged := o != origin{}
	for _, p := range t.Params {
		if click, ok := table.Clicks[p.Name]; ok && (o.Source == "" || o.Source == click.Source) {
			o.Source = click.Source
			if o.Medium == "" {
				o.Medium = click.Medium
			}
		}
	}
	if o.Source == "" && t.Referrer != "" {
		o.Source = hostOf(t.Referrer)
		if !isTagged {
			o.Medium = strings.ToLower(channelReferral)
		}
	}
	return table.of(o)
}

// isRepeatOf reports whether t is the touch before once more, such as after a reload.
func (t Touch) isRepeatOf(before Touch) bool {
	return t.Referrer == before.Referrer && t.Landing == before.Landing && slices.Equal(t.Params, before.Params)
}

// Value returns the part of the touch with the name: a parameter, or referrer, landing, channel or
// time.
func (t Touch) Value(name string) string {
	switch name {
	case "referrer":
		return t.Referrer
	case "landing":
		return t.Landing
	case "channel":
		return t.Channel()
	case "time":
		if t.At.IsZero() {
			return ""
		}
		return t.At.UTC().Format(time.RFC3339)
	}
	return t.Param(name)
}

// isPart reports whether a touch has a part with the name that is not a parameter.
func isPart(name string) bool {
	return slices.Contains([]string{"referrer", "landing", "channel", "time"}, name)
}

// clean returns text as valid UTF-8 in one line, without characters that draw nothing, and cut to
// limit bytes.
func clean(text string, limit int) string {
	const cutEarly = 8
	if len(text) > cutEarly*limit {
		text = text[:cutEarly*limit]
	}
	var kept strings.Builder
	for _, word := range strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		word = strings.Map(func(r rune) rune {
			if !unicode.IsGraphic(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
				return -1
			}
			return r
		}, word)
		if word == "" {
			continue
		}
		if kept.Len() > 0 {
			kept.WriteByte(' ')
		}
		kept.WriteString(word)
	}
	return strings.TrimSpace(cut(kept.String(), limit))
}

// cut returns the beginning of text, with at most limit bytes and whole characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// cleanClickID returns a click's id, or "" if it does not look like one.
func cleanClickID(id string) string {
	if len(id) > maxClickID || strings.ContainsFunc(id, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._~%+/=:|", r)
	}) {
		return ""
	}
	return id
}

// isClickID reports whether a parameter holds a click's id.
func isClickID(name string) bool {
	_, known := channels().Clicks[name]
	return known
}

// referrerOf returns a referrer without its query, user and fragment. It is empty if it is not the
// address of a page or an app.
func referrerOf(address string) string {
	if len(address) > 4<<10 {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "android-app" {
		return ""
	}
	host := hostname.Canonical(u.Host)
	if len(host) > maxReferrer/2 || strings.ContainsFunc(host, isNotOfHost) {
		return ""
	}
	return cutPath(u.Scheme+"://"+host+orRoot(u.EscapedPath()), maxReferrer)
}

func isNotOfHost(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._:[]", r)
}

// pathOf returns the path of a URL.
func pathOf(u *url.URL) string { return cutPath(orRoot(u.EscapedPath()), maxLanding) }

// orRoot returns the path with the slash that begins it.
func orRoot(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "/" + path
	}
	return path
}

// cutPath cuts an escaped path without leaving half an escape at its end.
func cutPath(path string, limit int) string {
	path = cut(clean(path, limit), limit)
	if escape := strings.LastIndexByte(path, '%'); escape >= 0 && escape > len(path)-3 {
		return path[:escape]
	}
	return path
}

// hostOf returns the name of the host of an address that referrerOf returned, without www.
func hostOf(referrer string) string {
	site, _ := splitAddress(referrer)
	_, host, _ := strings.Cut(site, "://")
	name, _ := hostname.Split(host)
	return strings.TrimPrefix(name, "www.")
}

// splitAddress separates an address, such as https://example.com/page, into its site and its path.
func splitAddress(address string) (site, path string) {
	const separator = "://"
	begin := strings.Index(address, separator) + len(separator)
	if slash := strings.IndexByte(address[min(begin, len(address)):], '/'); slash >= 0 {
		return address[:begin+slash], address[begin+slash:]
	}
	return address, ""
}
