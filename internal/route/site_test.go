package route

import "testing"

// A wildcard stands for hosts of one owner.
func TestPatternsOfOneSite(t *testing.T) {
	for pattern, want := range map[string]bool{
		"www.example.com": true, "*.example.com": true, "*.shop.example.co.uk": true, "*.example.co.uk": true, "*.*.example.com": true,
		"*.localhost": true, "*.lan": true, "shop.*.example.com": true, "localhost": true, "192.0.2.7": true, "2001:db8::7": true, "com": true,
		"": false, "*": false, "*.*": false, "*.com": false, "*.co.uk": false, "*.github.io": false, "www.*": false, "www.*.com": false, "{http.request.host}": false, "*.": false,
	} {
		if got := isOneSite(pattern); got != want {
			t.Errorf("%q: got %v, want %v", pattern, got, want)
		}
	}
}

func TestLists(t *testing.T) {
	list := []string{"example.com", "*.example.com", "shop.*.example.org"}
	for name, want := range map[string]bool{
		"example.com": true, "www.example.com": true, "shop.a.example.org": true,
		"a.b.example.com": false, ".example.com": false, "example.org": false, "shop.example.org": false, "example.com.evil.example": false, "": false,
	} {
		if got := lists(list, name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}
