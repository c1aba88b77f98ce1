package page_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Errors have the contrast of WCAG 2 level AA on the backgrounds that the style sheets and browsers
// give them.
func TestErrorsHaveContrast(t *testing.T) {
	const leastContrast = 4.5
	for _, test := range []struct{ file, foreground, background string }{
		{"own.css", `--telecrm-red: (#[0-9a-f]{6});`, "#ffffff"},
		{"own.css", `light-dark\((#[0-9a-f]{6}),`, "#ffffff"},
		{"own.css", `light-dark\(#[0-9a-f]{6}, (#[0-9a-f]{6})\)`, "#121212"}, // Canvas of Chromium
		{"own.css", `light-dark\(#[0-9a-f]{6}, (#[0-9a-f]{6})\)`, "#1c1b22"}, // Canvas of Firefox
		{"own.css", `light-dark\(#[0-9a-f]{6}, (#[0-9a-f]{6})\)`, "#1e1e1e"}, // Canvas of Safari
		{"builtin.css", `--bad: (#[0-9a-f]{6});`, "#ffffff"},
		{"builtin.css", `dark\).*--bad: (#[0-9a-f]{6});`, "#16181a"},
	} {
		style, err := os.ReadFile(test.file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(test.foreground).FindSubmatch(style)
		if found == nil {
			t.Fatalf("%s does not have %s", test.file, test.foreground)
		}
		if got := contrast(t, string(found[1]), test.background); got < leastContrast {
			t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", test.file, found[1], test.background, got, leastContrast)
		}
	}
}

// contrast returns the contrast ratio of two colours
// (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
func contrast(t *testing.T, first, second string) float64 {
	t.Helper()
	a, b := luminance(t, first), luminance(t, second)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		channel, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		linear := float64(channel) / 255 / 12.92
		if c := float64(channel) / 255; c > 0.04045 {
			linear = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * linear
	}
	return sum
}
