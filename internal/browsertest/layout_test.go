package browsertest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshotsEnv names the folder for screenshots of the pages.
const screenshotsEnv = "CADDY_TELECRM_SCREENSHOTS"

// screen is a screen size for layout checks.
type screen struct {
	name          string
	width, height int64
	mobile        bool
}

var screens = []screen{
	{name: "desktop", width: 1280, height: 900},
	{name: "phone", width: 390, height: 844, mobile: true},
}

func TestPagesFit(t *testing.T) {
	s := startSite(t)
	b := openTab(t)

	b.open(s.pages)
	checkLayout(b, "home")
	b.open(s.pages + "/contact")
	checkLayout(b, "contact")

	b.do(
		chromedp.SendKeys(chromedp.CSS(byName("phone")), "12345"),
		chromedp.SendKeys(chromedp.CSS(byName("email")), "anjali at example.org"),
		chromedp.SendKeys(chromedp.CSS(byName("message")), awkward),
	)
	b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
	b.press(submitButton)
	checkLayout(b, "error")

	b.open(s.pages + "/contact")
	fillEnquiry(b)
	b.press(submitButton)
	checkLayout(b, "thank-you")

	s.postCallback(t, "+1 201-555-0123")
	b.open(s.sandbox)
	checkLayout(b, "sandbox")
}

// checkLayout checks the page on each screen, in light and in dark.
func checkLayout(b *tab, page string) {
	b.t.Helper()
	for _, screen := range screens {
		call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: screen.width, Height: screen.height, DeviceScaleFactor: 1, Mobile: screen.mobile,
		})
		if wide := evaluate[int64](b, "document.documentElement.scrollWidth"); wide > screen.width {
			b.t.Errorf("the %s page is %d pixels wide on a screen of %d", page, wide, screen.width)
		}
		for _, scheme := range []string{"light", "dark"} {
			b.paint(scheme)
			checkColors(b, page, scheme)
			b.takePicture(fmt.Sprintf("%s-%s-%s.png", page, screen.name, scheme))
		}
		b.paint("light")
	}
	call(b, emulation.ClearDeviceMetricsOverride, struct{}{})
}

// checkColors expects dark text on a light page, or light text on a dark one.
func checkColors(b *tab, page, scheme string) {
	b.t.Helper()
	got := evaluate[string](b, `(() => {
		const style = getComputedStyle(document.body);
		const light = color => color.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
		return light(style.backgroundColor) > light(style.color) ? "light" : "dark";
	})()`)
	if got != scheme {
		b.t.Errorf("the %s page is %s, want %s", page, got, scheme)
	}
}

// takePicture writes a screenshot of the whole page, if screenshotsEnv is set.
func (b *tab) takePicture(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("taking the picture %s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o600); err != nil {
		b.t.Fatalf("writing the picture: %v", err)
	}
}
