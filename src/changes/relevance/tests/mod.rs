mod reach;
