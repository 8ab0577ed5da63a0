# The experiments and exercises of Dive into Deep Learning, 8.6, on Fashion-MNIST; rn-experiments(7)
# says what they show. `make -f scripts/experiments.mk plain` trains what is missing and draws
# $(OUT)/plain.png; without a name, all of them. What was stopped goes on where it was.
B      ?= build/plain
OUT    ?= out/experiments
FULL   := /usr/share/datasets/fashion-mnist
DATA   ?= $(if $(wildcard $(FULL)),$(FULL),data/fashion-mnist-sample)
EPOCHS ?= 8
HALF   := $(shell expr $(EPOCHS) / 2)

# ---- experiments: runs that are drawn together, and the network of each run ----
EXPERIMENTS := plain growth groups preact bottleneck inception
plain      := plain-20 plain-56 residual-20 residual-56
growth     := small grown scratch
groups     := dense grouped
preact     := post-activation pre-activation
bottleneck := basic bottleneck-1x1
inception  := residual-20 inception-bn

# Widths are half of the paper's, so that a run takes minutes; pairs have about equal operations.
shallow     := stages=3x8+3x16+3x32,stem-width=8
deep        := stages=9x8+9x16+9x32,stem-width=8
next        := stages=2x64+2x128+2x256,stem-width=16
plain-20    := cifar-resnet20:$(shallow),plain
plain-56    := cifar-resnet56:$(deep),plain
residual-20 := cifar-resnet20:$(shallow)
residual-56 := cifar-resnet56:$(deep)
small       := cifar-resnet20:$(shallow)
scratch     := cifar-resnet20:stages=5x8+5x16+5x32,stem-width=8
dense       := cifar-resnext29_8x64d:$(next),groups=1,base-width=72
grouped     := cifar-resnext29_8x64d:$(next),groups=8,base-width=16
post-activation := cifar-resnet56:$(deep)
pre-activation  := cifar-preact-resnet110:$(deep)
basic           := cifar-resnet20:$(shallow)
bottleneck-1x1  := cifar-resnet20:block=bottleneck,stages=3x32+3x64+3x128,stem-width=8,shortcut=conv-bn
inception-bn    := cifar-resnet20:block=inception-bn,stages=3x20+3x40+3x80,stem-width=8

# ---- how they are trained ----
TRAIN  := $(B)/rn-train $(if $(J),-j $(J)) $(if $(SIZE),--size $(SIZE)) -b 64 --momentum 0.9 --weight-decay 1e-4 --resume
COSINE := --lr 0.1 --sched cosine -e $(EPOCHS)
EVEN   := --lr 0.02# growth: a rate that does not know where the change will be

logs = $(patsubst %,$(OUT)/%.tsv,$($1))
all: $(EXPERIMENTS)
$(EXPERIMENTS): %: $(OUT)/%.png
.PHONY: all $(EXPERIMENTS)
.SECONDARY:
.DELETE_ON_ERROR:

define drawn
$(OUT)/$1.png: $(call logs,$1)
	scripts/plot-compare -o $$@ $$^
endef
$(foreach e,$(EXPERIMENTS),$(eval $(call drawn,$e)))

# A finished model without its log would not be trained again.
fresh = @test -e $@.part || rm -f $(@:.tsv=.safetensors) $(@:.tsv=.safetensors).*

$(OUT)/%.tsv: | $(OUT)
	$(fresh)
	$(TRAIN) $(COSINE) -a '$($*)' --log $@.part -o $(OUT)/$*.safetensors $(DATA)
	mv $@.part $@
$(OUT)/small.tsv: | $(OUT)
	$(fresh)
	$(TRAIN) $(EVEN) -e $(HALF) -a '$(small)' --log $@.part -o $(OUT)/small.safetensors $(DATA)
	mv $@.part $@
$(OUT)/scratch.tsv: | $(OUT)
	$(fresh)
	$(TRAIN) $(EVEN) -e $(EPOCHS) -a '$(scratch)' --log $@.part -o $(OUT)/scratch.safetensors $(DATA)
	mv $@.part $@
# The small network's epochs, then as many of the larger one that was made of it.
$(OUT)/grown.tsv: $(OUT)/small.tsv
	$(fresh)
	$(B)/rn-convert --grow '$(scratch)' --verify -o $(OUT)/seed.safetensors $(OUT)/small.safetensors
	$(TRAIN) $(EVEN) -e $(HALF) --weights $(OUT)/seed.safetensors --log $@.part -o $(OUT)/grown.safetensors $(DATA)
	awk -F '\t' -v OFS='\t' -v half=$(HALF) 'FNR == NR || FNR > 1 { if (FNR != NR) $$1 += half; print }' $< $@.part >$@
	rm $@.part
$(OUT):
	mkdir -p $@
