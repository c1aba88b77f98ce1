package console

// The measures of the chart, in units of its own.
const (
	chartHeight = 224
	chartLeft   = 72 // room for the numbers beside it
	slotWidth   = 28
	chartRight  = chartLeft + hours*slotWidth
	chartWidth  = chartRight + 24 // room for half a time
	chartTop    = 12
	chartBottom = 190 // of the bars; below are the hours
	barWidth    = 8
)

// chart is where everything of the chart is.
type chart struct {
	Width, Height, Left, Right, Bottom int
	Lines                              []chartLine
	Slots                              []chartSlot
	// Empty tells that there is nothing to show.
	Empty bool
}

// chartLine is a horizontal line, and the number that it stands for.
type chartLine struct{ Y, Value int }

// chartSlot is an hour.
type chartSlot struct {
	Hour
	Bars []chartBar
	// Middle is where its time is written, if it is.
	Middle  int
	Labeled bool
}

// chartBar is a bar of a series: accepted, delivered or parked.
type chartBar struct {
	Series              string
	X, Y, Width, Height int
}

// labelEvery is how many hours there are between two times on the chart.
const labelEvery = 4

func newChart(c Counted) chart {
	most := 0
	for _, h := range c.Hours {
		most = max(most, h.Accepted, h.Delivered, h.Parked)
	}
	top := niceTop(most)
	height := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(2, n*(chartBottom-chartTop)/top)
	}
	ch := chart{
		Width: chartWidth, Height: chartHeight, Left: chartLeft, Right: chartRight, Bottom: chartBottom,
		Lines: []chartLine{{chartTop, top}, {(chartTop + chartBottom) / 2, top / 2}, {chartBottom, 0}},
		Empty: most == 0,
	}
	for i, h := range c.Hours {
		left := chartLeft + i*slotWidth
		slot := chartSlot{Hour: h, Middle: left + slotWidth/2, Labeled: (len(c.Hours)-1-i)%labelEvery == 0}
		for j, series := range []struct {
			name  string
			count int
		}{{"accepted", h.Accepted}, {"delivered", h.Delivered}, {"parked", h.Parked}} {
			tall := height(series.count)
			slot.Bars = append(slot.Bars, chartBar{
				Series: series.name, X: left + 2 + j*(barWidth+1), Y: chartBottom - tall, Width: barWidth, Height: tall,
			})
		}
		ch.Slots = append(ch.Slots, slot)
	}
	return ch
}

// niceTop is the number at the top of a chart whose tallest bar is n: an even
// one that is easy to read.
func niceTop(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, factor := range []int{2, 4, 6, 10} {
			if top := unit * factor; top >= n {
				return top
			}
		}
	}
}
